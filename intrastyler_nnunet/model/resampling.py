"""Resampling and reflection of feature maps, each one step of autograd.

Composed of PyTorch's padding, slices and stacks they would leave the channels-last layout on a GPU, and each slice's
gradient would be a whole map of zeros.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn


class Tap(NamedTuple):
    """One weight of a filter along an axis: which places of the result get how much of which of the input."""

    result: slice
    given: slice
    weight: float


class Filtered(torch.autograd.Function):
    """A sum of taps along one axis.

    Of the taps, the first `fresh[0]` meet every place of the result once, the first `fresh[1]` every one of the input.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, axis: int, length: int, taps: list[Tap], fresh: tuple[int, int]
    ) -> torch.Tensor:
        """(B, C, X, Y, Z) -> the same with `length` places along `axis`, in the layout of x."""
        ctx.given = (axis, x.shape[axis], [Tap(given, result, weight) for result, given, weight in taps], fresh[1])
        return _filtered(x, axis, length, taps, fresh[0])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The transposed filter."""
        return _filtered(gradients[0], *ctx.given), None, None, None, None


def _filtered(x: torch.Tensor, axis: int, length: int, taps: list[Tap], fresh: int) -> torch.Tensor:
    shape = list(x.shape)
    shape[axis] = length
    out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout_of(x))
    for number, (result, given, weight) in enumerate(taps):
        into, part = _along(out, axis, result), _along(x, axis, given)
        if number < fresh:
            into.copy_(part).mul_(weight)
        else:
            into.add_(part, alpha=weight)
    return out


def halved(x: torch.Tensor, axis: int, outer: float, inner: float) -> torch.Tensor:
    """Every second voxel along `axis`, from the first on: inner * itself + outer * both neighbours, reflected."""
    length = x.shape[axis]
    size, neighbours = (length + 1) // 2, length // 2
    taps = [
        Tap(slice(size), slice(0, None, 2), inner),
        Tap(slice(neighbours), slice(1, None, 2), outer),
        Tap(slice(1, size), slice(1, 2 * size - 2, 2), outer),
        Tap(slice(1), slice(1, 2), outer),
    ]
    if neighbours < size:
        taps.append(Tap(slice(size - 1, size), slice(length - 2, length - 1), outer))
    return Filtered.apply(x, axis, size, taps, (1, 2))


def doubled(x: torch.Tensor, axis: int, outer: float, inner: float) -> torch.Tensor:
    """Two voxels for one along `axis`: inner * itself + outer * the neighbour on their side, borders replicated."""
    length = x.shape[axis]
    taps = [
        Tap(slice(0, None, 2), slice(length), inner),
        Tap(slice(1, None, 2), slice(length), inner),
        Tap(slice(2, None, 2), slice(length - 1), outer),
        Tap(slice(1), slice(1), outer),
        Tap(slice(1, 2 * length - 1, 2), slice(1, length), outer),
        Tap(slice(2 * length - 1, 2 * length), slice(length - 1, length), outer),
    ]
    return Filtered.apply(x, axis, 2 * length, taps, (2, 1))


class Reflected(torch.autograd.Function):
    """Reflection of the borders, without the voxels at the border themselves."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, amounts: tuple[int, int, int]) -> torch.Tensor:
        """(B, C, X, Y, Z) -> the same with so many voxels (x, y, z) more at both ends of each axis."""
        if any(amount >= size for amount, size in zip(amounts, x.shape[2:], strict=True)):
            raise RuntimeError(f"padding of {amounts}, expected less than the image's extent {tuple(x.shape[2:])}")
        ctx.amounts = amounts
        out = F.pad(x, [amount for axis in (2, 1, 0) for amount in [amounts[axis]] * 2])
        for border, inner in _mirrors(out, amounts):
            border.copy_(inner)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        """What the borders got goes to where they came from."""
        out = gradients[0].clone()
        for border, inner in reversed(_mirrors(out, ctx.amounts)):
            inner.add_(border)
        for axis, amount in enumerate(ctx.amounts, 2):
            out = out.narrow(axis, amount, out.shape[axis] - 2 * amount)
        return out, None


def _mirrors(padded: torch.Tensor, amounts: tuple[int, int, int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Pairs of planes, at the border and where it is reflected, axis after axis."""
    return [
        (padded.narrow(axis, border, 1), padded.narrow(axis, inner, 1))
        for axis, amount in enumerate(amounts, 2)
        for step in range(1, amount + 1)
        for last in (padded.shape[axis] - 1 - amount,)
        for border, inner in ((amount - step, amount + step), (last + step, last - step))
    ]


def layout_of(x: torch.Tensor) -> torch.memory_format:
    """Whether features (B, C, X, Y, Z) lie in memory channels last or channels first."""
    return torch.channels_last_3d if x.shape[1] > 1 and x.stride(1) == 1 else torch.contiguous_format


def lay_weights_channels_last(network: nn.Module) -> None:
    """On a GPU: what tensor cores read, and all features follow; on a CPU the inner layers are slower that way."""
    for weight in network.parameters():
        if weight.is_cuda and weight.ndim == 5:
            weight.data = _channels_last(weight.data)


def in_layout_of(x: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """An image of a few channels, (B, C, X, Y, Z), in the layout of features, which they keep when both are joined."""
    return image if layout_of(x) is torch.contiguous_format else _channels_last(image)


def _channels_last(x: torch.Tensor) -> torch.Tensor:
    """A copy in this layout, by its strides, too, which layers look at: a single channel lies both ways at once."""
    return torch.empty_like(x, memory_format=torch.channels_last_3d).copy_(x)


def _along(x: torch.Tensor, axis: int, places: slice) -> torch.Tensor:
    return x[(slice(None),) * axis + (places,)]
