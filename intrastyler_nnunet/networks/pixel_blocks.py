"""Blocks of voxels as channels and back: lets the outermost convolutions of a light generator run on a coarser grid.

Nothing is lost, unlike in strided convolutions (Shi et al., "Real-time single image and video super-resolution using
an efficient sub-pixel convolutional neural network", CVPR 2016).
"""

import torch
from torch import nn

from intrastyler_nnunet.model.config import Triple


class VoxelsToChannels(nn.Module):
    """(B, C, aX, bY, cZ) -> (B, C * abc, X, Y, Z) for a block (a, b, c)."""

    def __init__(self, block: Triple):
        super().__init__()
        self.block = block

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rearrange; each axis must be a multiple of its block."""
        if self.block == (1, 1, 1):
            return x
        batch, channels, *sizes = x.shape
        split = [n for size, step in zip(sizes, self.block, strict=True) for n in (size // step, step)]
        return x.reshape(batch, channels, *split).permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


class ChannelsToVoxels(nn.Module):
    """Inverse of `VoxelsToChannels`."""

    def __init__(self, block: Triple):
        super().__init__()
        self.block = block

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rearrange (B, C * abc, X, Y, Z) to (B, C, aX, bY, cZ)."""
        if self.block == (1, 1, 1):
            return x
        x = x.unflatten(1, (-1, *self.block)).permute(0, 1, 5, 2, 6, 3, 7, 4)
        return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)
