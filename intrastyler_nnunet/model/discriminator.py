"""The 3D PatchGAN discriminator, trained with the least-squares loss."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from intrastyler_nnunet.model.config import DiscriminatorConfig
from intrastyler_nnunet.model.layers import BlurDown, InstanceNorm
from intrastyler_nnunet.model.recomputation import RecomputedInParts


class Discriminator(RecomputedInParts):
    """Convolutions that halve the image and double the channels, then two that do neither; none has a norm in front.

    The score belongs to a receptive field, not to the image. Where the architecture is anti-aliased, the image is
    halved by a blur behind each convolution instead of the convolution's stride. One that knows styles adds to a score
    the projection of its receptive field's features on the style (Miyato & Koyama, ICLR 2018).
    """

    def __init__(self, config: DiscriminatorConfig):
        super().__init__()
        x, y, z = ((size - 1) // 2 if config.antialiased else size // 2 for size in config.kernel)
        padding = (x, y, z)
        layers: list[nn.Module] = []
        channels = 1
        for level in range(config.levels + 1):
            grown = min(2 * channels, 8 * config.width) if level else config.width
            halves = level < config.levels
            stride = 2 if halves and not config.antialiased else 1
            layers.append(nn.Conv3d(channels, grown, config.kernel, stride=stride, padding=padding))
            layers += [InstanceNorm()] if level else []
            layers.append(nn.LeakyReLU(0.2))
            layers += [BlurDown((2, 2, 2), released_blur=True)] if halves and config.antialiased else []
            channels = grown
        layers.append(nn.Conv3d(channels, 1, config.kernel, padding=padding))
        self.layers = nn.Sequential(*layers)
        self.projection = nn.Linear(config.style_dim, channels) if config.style_dim else None
        convolutions = [index for index, layer in enumerate(layers) if isinstance(layer, nn.Conv3d)]
        self.parts = [range(*ends) for ends in itertools.pairwise([*convolutions, len(layers)])]

    def forward(self, x: torch.Tensor, style: torch.Tensor | None = None) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1] -> one realness score per patch, (B, 1, X', Y', Z').

        `style`: (B, K), for one that knows styles.
        """
        *parts, last = self.parts
        for part in parts:
            x = self.recomputed(self._through, x, part)
        scores = self.recomputed(self._through, x, last)
        if self.projection is None:
            return scores
        assert style is not None, "a discriminator that knows styles needs one"
        along = (x * self.projection(style)[..., None, None, None]).sum(dim=1, keepdim=True)
        final = self.layers[-1]
        assert isinstance(final, nn.Conv3d)
        mean = torch.ones_like(final.weight[:, :1]) / final.weight[0, 0].numel()
        return scores + F.conv3d(along, mean, padding=final.padding)

    def _through(self, x: torch.Tensor, part: range) -> torch.Tensor:
        for index in part:
            x = self.layers[index](x)
        return x
