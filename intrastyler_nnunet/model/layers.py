"""Anti-aliased down- and up-sampling by binomial filters (Zhang, "Making convolutional networks shift-invariant").

The filters are separable and tiny, so each axis is a weighted sum of shifted slices: no convolution is needed.
"""

import torch
import torch.nn.functional as F
from torch import nn

from intrastyler_nnunet.model.config import Triple


class BlurDown(nn.Module):
    """Reflect-pad, smooth with (1, 2, 1)/4 and keep every second voxel, along the axes whose stride is 2.

    `released_blur`: the released code multiplies the last axis' kernel twice, i.e. squares it: (1, 4, 1)/6.
    """

    def __init__(self, strides: Triple, released_blur: bool = False):
        super().__init__()
        self.strides = strides
        self.last_axis_taps = (1 / 6, 4 / 6) if released_blur else (1 / 4, 2 / 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, X, Y, Z) -> (B, C, ceil(X/2), ceil(Y/2), ceil(Z/2)) for strides of 2."""
        for axis, stride in enumerate(self.strides):
            if stride == 1:
                continue
            outer, inner = self.last_axis_taps if axis == 2 else (1 / 4, 2 / 4)
            padded = F.pad(x, _padding(axis, 1), mode="reflect")
            size = (x.shape[2 + axis] + 1) // 2
            first, middle, last = (_strided(padded, axis, start, size) for start in (0, 1, 2))
            x = torch.add(inner * middle, first + last, alpha=outer)
        return x


class BlurUp(nn.Module):
    """Replicate-pad and interpolate with the 4-tap filter (1, 3, 3, 1)/4 (gain 2) along the axes whose stride is 2.

    `released_blur`: kernel of the last axis squared, (1, 9, 9, 1), and gain 1 instead of 2 on that axis, because the
    released code scales by stride^2 where three dimensions call for stride^3.
    """

    def __init__(self, strides: Triple, released_blur: bool = False):
        super().__init__()
        self.strides = strides
        self.last_axis_taps = (1 / 20, 9 / 20) if released_blur else (1 / 4, 3 / 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, X, Y, Z) -> (B, C, 2X, 2Y, 2Z) for strides of 2."""
        # Last axis first, while the image is small: interleaving neighbours in memory is the slowest.
        for axis, stride in reversed(list(enumerate(self.strides))):
            if stride == 1:
                continue
            far, near = self.last_axis_taps if axis == 2 else (1 / 4, 3 / 4)
            padded = F.pad(x, _padding(axis, 1), mode="replicate")
            size, dim = x.shape[2 + axis], 2 + axis
            weighted = near * x
            even = torch.add(weighted, padded.narrow(dim, 0, size), alpha=far)
            odd = torch.add(weighted, padded.narrow(dim, 2, size), alpha=far)
            x = torch.stack((even, odd), dim=dim + 1).flatten(dim, dim + 1)
        return x


def _padding(axis: int, amount: int) -> list[int]:
    """`F.pad`'s argument for one spatial axis (it counts axes from the last)."""
    padding = [0] * 6
    padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = amount
    return padding


def _strided(x: torch.Tensor, axis: int, start: int, size: int) -> torch.Tensor:
    """Every second slice along a spatial axis, `size` of them, from `start`."""
    slices = [slice(None)] * 5
    slices[2 + axis] = slice(start, start + 2 * size - 1, 2)
    return x[tuple(slices)]
