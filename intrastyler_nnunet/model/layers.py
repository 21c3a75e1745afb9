"""The layers that all networks are made of: norms, blur, blocks of voxels, and the convolution to an image."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from intrastyler_nnunet.model.borders import Inside
from intrastyler_nnunet.model.config import Triple
from intrastyler_nnunet.model.resampling import Reflected, doubled, halved

EPSILON = 1e-5


SPATIAL = (2, 3, 4)


class InstanceNorm(nn.Module):
    """IN(x) per sample and channel, eps 1e-5, by float32 statistics whatever the precision of x.

    Not PyTorch's instance norm: that changes the layout of channels-last images, and on a CPU returns a wrong gradient
    for a batch of one where the gradient it gets is channels-last (2.14). On a CPU, groups of one channel are fastest.
    """

    def forward(self, x: torch.Tensor, inside: Inside | None = None) -> torch.Tensor:
        """(B, C, X, Y, Z) -> the same shape and dtype, by the statistics of what is `inside`; None: of all."""
        with torch.autocast(x.device.type, enabled=False):
            if inside is None and x.device.type == "cpu" and x.is_contiguous():
                return torch.group_norm(x, x.shape[1], eps=EPSILON)
            if inside is None:
                return _Normalised.apply(x)
            x32 = x.float()
            mean, variance = inside.statistics(x32)
            return ((x32 - mean) * (variance + EPSILON).rsqrt()).to(x.dtype)


class AffineInstanceNorm(InstanceNorm):
    """Instance norm with a learnt scale and shift per channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor, inside: Inside | None = None) -> torch.Tensor:
        """As without scale and shift."""
        scale, shift = (values[:, None, None, None] for values in (self.weight, self.bias))
        return torch.addcmul(shift.to(x.dtype), scale.to(x.dtype), super().forward(x, inside))


class _Normalised(torch.autograd.Function):
    """Statistics are summed up in float32, but no copy of x in float32 is made, and only x is kept.

    All sums are about a pivot, the mean in the precision of x: features often vary by far less than their mean.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        mean = x.mean(SPATIAL, keepdim=True, dtype=wide)
        pivot = mean.to(x.dtype)
        rest = mean - pivot
        out = x - pivot
        square = torch.linalg.vector_norm(out, 2, SPATIAL, keepdim=True, dtype=wide).square() / x[0, 0].numel()
        scale = (square - rest.square() + EPSILON).rsqrt()
        ctx.save_for_backward(x, pivot, rest, scale)
        return torch.addcmul(-rest * scale, out, scale, out=out)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (gradient,), (x, pivot, rest, scale) = gradients, ctx.saved_tensors
        shift = gradient.mean(SPATIAL, keepdim=True, dtype=scale.dtype)
        along = (gradient * (x - pivot)).mean(SPATIAL, keepdim=True, dtype=scale.dtype) - rest * shift
        slope = along * scale.pow(3)
        change = torch.addcmul(rest * slope - scale * shift, gradient, scale, out=torch.empty_like(x))
        return torch.addcmul(change, x - pivot, slope, value=-1, out=change)


class DynamicInstanceNorm(nn.Module):
    """DIN(x, v) = gamma(v) * IN(x) + beta(v); gamma and beta from one 1x1x1 convolution of the style vector."""

    def __init__(self, style_dim: int, channels: int):
        super().__init__()
        self.norm = InstanceNorm()
        self.controller = nn.Conv3d(style_dim, 2 * channels, kernel_size=1)

    def forward(self, x: torch.Tensor, style: torch.Tensor, inside: Inside | None = None) -> torch.Tensor:
        """(B, C, X, Y, Z) features and (B, K) style vectors -> (B, C, X, Y, Z); `inside`: as in `InstanceNorm`."""
        gamma, beta = self.controller(style[..., None, None, None]).chunk(2, dim=1)
        return torch.addcmul(beta, gamma, self.norm(x, inside))


class BlurDown(nn.Module):
    """Reflect-pad, smooth with (1, 2, 1)/4 and keep every second voxel, along the axes whose stride is 2.

    `released_blur`: the released code multiplies the last axis' kernel twice, i.e. squares it: (1, 4, 1)/6.
    """

    border = "reflect"

    def __init__(self, strides: Triple, released_blur: bool = False):
        super().__init__()
        self.strides = strides
        self.last_axis_taps = (1 / 6, 4 / 6) if released_blur else (1 / 4, 2 / 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, X, Y, Z) -> (B, C, ceil(X/2), ceil(Y/2), ceil(Z/2)) for strides of 2."""
        for axis, stride in enumerate(self.strides):
            if stride == 2:
                x = halved(x, 2 + axis, *(self.last_axis_taps if axis == 2 else (1 / 4, 2 / 4)))
        return x


class BlurUp(nn.Module):
    """Replicate-pad and interpolate with the 4-tap filter (1, 3, 3, 1)/4 (gain 2) along the axes whose stride is 2.

    `released_blur`: kernel of the last axis squared, (1, 9, 9, 1), and gain 1 instead of 2 on that axis, because the
    released code scales by stride^2 where three dimensions call for stride^3.
    """

    border = "replicate"

    def __init__(self, strides: Triple, released_blur: bool = False):
        super().__init__()
        self.strides = strides
        self.last_axis_taps = (1 / 20, 9 / 20) if released_blur else (1 / 4, 3 / 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, X, Y, Z) -> (B, C, 2X, 2Y, 2Z) for strides of 2."""
        # Last axis first, while the image is small: interleaving neighbours in memory is the slowest.
        for axis, stride in reversed(list(enumerate(self.strides))):
            if stride == 2:
                x = doubled(x, 2 + axis, *(self.last_axis_taps if axis == 2 else (1 / 4, 3 / 4)))
        return x


class ReflectionPad(nn.Module):
    """Reflected borders, half of what a kernel (x, y, z) reaches: an odd one keeps the image's size."""

    border = "reflect"

    def __init__(self, kernel: Triple):
        super().__init__()
        x, y, z = kernel
        self.amounts = ((x - 1) // 2, (y - 1) // 2, (z - 1) // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, X, Y, Z) -> (B, C, X + x - 1, Y + y - 1, Z + z - 1) for an odd kernel."""
        return Reflected.apply(x, self.amounts)


class ImageConv3d(nn.Conv3d):
    """nn.Conv3d without padding; to one channel on a CPU several times faster.

    CPU kernels compute blocks of output channels at once, and a single one leaves most of the block idle. So each
    offset of the kernel along x becomes an output channel of its own; their sum, each shifted by its offset, is the
    same convolution.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, X, Y, Z) -> (B, out_channels, X - x + 1, Y - y + 1, Z - z + 1) for a kernel (x, y, z)."""
        if self.out_channels > 1 or x.device.type != "cpu":
            return super().forward(x)
        offsets = self.weight[0].transpose(0, 1)[:, :, None]  # (x, C, 1, y, z)
        parts = F.conv3d(x, offsets)
        length = x.shape[2] - len(offsets) + 1
        image = parts[:, :1, :length]
        for shift in range(1, len(offsets)):
            image = image + parts[:, shift : shift + 1, shift : shift + length]
        return image if self.bias is None else image + self.bias


class VoxelsToChannels(nn.Module):
    """(B, C, aX, bY, cZ) -> (B, C * abc, X, Y, Z) for a block (a, b, c); each axis must be a multiple of its block."""

    def __init__(self, block: Triple):
        super().__init__()
        self.block = block

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Split each axis and join the parts to the channels; blocks of one voxel change nothing."""
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
        """Split the channels and join the parts to the axes; blocks of one voxel change nothing."""
        if self.block == (1, 1, 1):
            return x
        x = x.unflatten(1, (-1, *self.block)).permute(0, 1, 5, 2, 6, 3, 7, 4)
        return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)
