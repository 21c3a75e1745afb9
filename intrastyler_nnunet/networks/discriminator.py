"""The 3D PatchGAN discriminator, trained with the least-squares loss."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from intrastyler_nnunet.networks.config import DiscriminatorConfig
from intrastyler_nnunet.networks.normalisation import InstanceNorm


class Discriminator(nn.Module):
    """Strided convolutions, doubling channels, then two of stride 1; a score per receptive field, not per image.

    With a `style_dim` it judges whether an image is real *and of its style*: the score has a term that is linear in the
    style vector (Miyato and Koyama, "cGANs with projection discriminator"). Instance norms would hide contrast and
    noise level from it, so it has none; see `normalise_spectrally`.
    """

    def __init__(self, config: DiscriminatorConfig, style_dim: int = 0):
        super().__init__()
        padding = tuple(size // 2 for size in config.kernel)
        layers: list[nn.Module] = [
            nn.Conv3d(1, config.width, config.kernel, stride=2, padding=padding),
            nn.LeakyReLU(0.2),
        ]
        channels = config.width
        for level in range(1, config.levels + 1):
            stride = 2 if level < config.levels else 1
            grown = min(2 * channels, 8 * config.width)
            layers.append(nn.Conv3d(channels, grown, config.kernel, stride=stride, padding=padding))
            if not style_dim:
                layers.append(InstanceNorm())
            layers.append(nn.LeakyReLU(0.2))
            channels = grown
        self.layers = nn.Sequential(*layers)
        self.to_score = nn.Conv3d(channels, 1, config.kernel, padding=padding)
        self.style_to_weights = nn.Linear(style_dim, channels) if style_dim else None

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1], style vectors (B, K) -> a realness score per patch, (B, 1, X', Y', Z')."""
        features = self.layers(x)
        scores = self.to_score(features)
        if self.style_to_weights is None:
            return scores
        weights = self.style_to_weights(style)[..., None, None, None]
        of_style = (features * weights).sum(dim=1, keepdim=True)
        # The convolution's even kernel adds a place along each in-plane axis.
        return scores[:, :, : of_style.shape[2], : of_style.shape[3], : of_style.shape[4]] + of_style

    def normalise_spectrally(self) -> None:
        """Divide every convolution but the last by its largest singular value (Miyato et al., ICLR 2018)."""
        for layer in self.layers:
            if isinstance(layer, nn.Conv3d):
                spectral_norm(layer)
