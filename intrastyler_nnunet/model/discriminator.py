"""The 3D PatchGAN discriminator, trained with the least-squares loss."""

import torch
from torch import nn

from intrastyler_nnunet.model.config import DiscriminatorConfig
from intrastyler_nnunet.model.layers import InstanceNorm


class Discriminator(nn.Module):
    """Strided convolutions, doubling channels, then two of stride 1; a score per receptive field, not per image."""

    def __init__(self, config: DiscriminatorConfig):
        super().__init__()
        x, y, z = (size // 2 for size in config.kernel)
        padding = (x, y, z)
        layers: list[nn.Module] = [
            nn.Conv3d(1, config.width, config.kernel, stride=2, padding=padding),
            nn.LeakyReLU(0.2),
        ]
        channels = config.width
        for level in range(1, config.levels + 1):
            stride = 2 if level < config.levels else 1
            grown = min(2 * channels, 8 * config.width)
            layers += [
                nn.Conv3d(channels, grown, config.kernel, stride=stride, padding=padding),
                InstanceNorm(),
                nn.LeakyReLU(0.2),
            ]
            channels = grown
        layers.append(nn.Conv3d(channels, 1, config.kernel, padding=padding))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1] -> one realness score per patch, (B, 1, X', Y', Z')."""
        return self.layers(x)
