"""The 3D PatchGAN discriminator, trained with the least-squares loss."""

import itertools

import torch
from torch import nn

from intrastyler_nnunet.model.config import DiscriminatorConfig
from intrastyler_nnunet.model.layers import BlurDown, InstanceNorm
from intrastyler_nnunet.model.recomputation import RecomputedInParts


class Discriminator(RecomputedInParts):
    """Convolutions that halve the image and double the channels, then two that do neither; none has a norm in front.

    The score belongs to a receptive field, not to the image. Where the architecture is anti-aliased, the image is
    halved by a blur behind each convolution instead of the convolution's stride.
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
        convolutions = [index for index, layer in enumerate(layers) if isinstance(layer, nn.Conv3d)]
        self.parts = [range(*ends) for ends in itertools.pairwise([*convolutions, len(layers)])]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1] -> one realness score per patch, (B, 1, X', Y', Z')."""
        for part in self.parts:
            x = self.recomputed(self._through, x, part)
        return x

    def _through(self, x: torch.Tensor, part: range) -> torch.Tensor:
        for index in part:
            x = self.layers[index](x)
        return x
