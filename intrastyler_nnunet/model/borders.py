"""Voxels outside the image, such as nnU-Net's padding, which must not change what a network makes of the image.

Norms take their statistics from the image alone, and every layer sees beyond the image's border what its own padding
would put there. So an image gives the same result with padding around it as without, if its borders lie where the
network's strides do; nearly the same elsewhere.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn


@dataclass(frozen=True)
class Inside:
    """Which places of a feature map are image.

    Attributes:
        mask: (B, 1, X, Y, Z), bool.
    """

    mask: torch.Tensor

    def statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of the image alone, (B, C, 1, 1, 1) each, of float32 features (B, C, X, Y, Z)."""
        weight = self.mask / self.mask.sum(dim=(2, 3, 4), keepdim=True).clamp(min=1)
        mean = (x * weight).sum(dim=(2, 3, 4), keepdim=True)
        return mean, ((x - mean).square() * weight).sum(dim=(2, 3, 4), keepdim=True)

    def continued(self, x: torch.Tensor, border: str) -> torch.Tensor:
        """Features (B, C, X, Y, Z) that go on outside as PyTorch's padding of this mode: zeros, reflect, replicate."""
        if border == "zeros":
            return torch.where(self.mask, x, torch.zeros((), dtype=x.dtype, device=x.device))
        places = self._mirrored if border == "reflect" else self._nearest
        return x.flatten(2).gather(2, places.expand(-1, x.shape[1], -1)).view_as(x)

    @cached_property
    def _mirrored(self) -> torch.Tensor:
        return places_inside(self.mask, mirrored=True)

    @cached_property
    def _nearest(self) -> torch.Tensor:
        return places_inside(self.mask, mirrored=False)


def places_inside(mask: torch.Tensor, mirrored: bool) -> torch.Tensor:
    """For each voxel the flat index of a voxel in `mask` that stands for it: itself, if it is in the mask.

    The nearest along the last axis, then, where a whole line is outside, along the one before, and so on; the voxel
    itself where all is outside.

    Args:
        mask: (B, 1, X, Y, Z), bool.
        mirrored: not the nearest, but the one that a mirror at the mask's border shows, where the mask is wide enough.

    Returns:
        (B, 1, X * Y * Z) integers.
    """
    size = mask.shape[2:]
    places = torch.arange(math.prod(size), device=mask.device).reshape(size).expand_as(mask)
    known = mask
    for axis in (4, 3, 2):
        length = mask.shape[axis]
        along = torch.arange(length, device=mask.device).reshape(-1, *[1] * (4 - axis))
        before = torch.where(known, along, -length).cummax(dim=axis).values
        after = torch.where(known, along, 2 * length).flip(axis).cummin(dim=axis).values.flip(axis)
        nearest = torch.where(along - before <= after - along, before, after)
        found = (nearest >= 0) & (nearest < length)
        chosen = torch.where(found, nearest, along)
        if mirrored:
            image = (2 * chosen - along).clamp(0, length - 1)
            chosen = torch.where(known.gather(axis, image), image, chosen)
        places, known = places.gather(axis, chosen), found
    return places.flatten(2)


def seen_by(layer: nn.Module, x: torch.Tensor, inside: Inside | None) -> torch.Tensor:
    """What `layer` is to see of features (B, C, X, Y, Z): outside the image, what its own padding would put there."""
    border = border_of(layer)
    return x if inside is None or border is None else inside.continued(x, border)


def border_of(layer: nn.Module) -> str | None:
    """How a layer goes on beyond its input: "zeros", "reflect" or "replicate"; None: not at all."""
    if isinstance(layer, nn.Conv3d):
        return "zeros" if any(layer.padding) else None
    return getattr(layer, "border", None)
