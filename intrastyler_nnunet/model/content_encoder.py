"""The content encoder: first half of the generator, and the feature extractor of PatchNCE."""

import torch
from torch import nn

from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.layers import BlurDown, InstanceNorm, VoxelsToChannels


class ResidualBlock(nn.Module):
    """x + IN(conv(ReLU(IN(conv(x))))) with reflected borders."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad3d(1), nn.Conv3d(channels, channels, 3), InstanceNorm(), nn.ReLU(),
            nn.ReflectionPad3d(1), nn.Conv3d(channels, channels, 3), InstanceNorm(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, X, Y, Z) -> the same shape."""
        return x + self.body(x)


class ContentEncoder(nn.Module):
    """Outer convolution, down-sampling stages, residual blocks.

    Layers are numbered as in the released code (padding, convolution, norm, activation and blur each count as one),
    because the paper names PatchNCE's feature layers by that number: 0, 4, 8, 12, 16 for two stages.
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        layers: list[nn.Module] = [
            nn.Sequential(VoxelsToChannels(config.pixel_block), ReflectionPad(config.outer_kernel)),
            nn.Conv3d(config.pixel_channels, config.width, config.outer_kernel),
            InstanceNorm(),
            nn.ReLU(),
        ]
        channels = config.width
        for strides in config.strides:
            layers += [
                nn.Conv3d(channels, 2 * channels, 3, padding=1), InstanceNorm(), nn.ReLU(),
                BlurDown(strides, config.released_blur),
            ]  # fmt: skip
            channels *= 2
        layers += [ResidualBlock(channels) for _ in range(config.residual_blocks)]
        self.layers = nn.ModuleList(layers)
        self.out_channels = channels

    def forward(
        self, x: torch.Tensor, indices: tuple[int, ...] = (), last: int | None = None
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Content features, and the outputs of the layers `indices` on the way (for PatchNCE).

        (B, 1, X, Y, Z) in [-1, 1] -> (B, 2^stages * width, X/4, Y/4, Z/4), for two stages of stride 2; with `last`, the
        output of that layer, where it stops.
        """
        collected = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in indices:
                collected.append(x)
            if index == last:
                break
        return x, collected


def ReflectionPad(kernel: tuple[int, int, int]) -> nn.Module:
    """Reflection that keeps the size under an odd `kernel`; (X, Y, Z) order."""
    x, y, z = ((size - 1) // 2 for size in kernel)
    return nn.ReflectionPad3d((z, z, y, y, x, x))
