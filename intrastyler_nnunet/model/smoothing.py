"""Gaussian filters whose widths differ from image to image and from axis to axis, on the images' device."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

CUT = 4  # standard deviations beyond which a kernel is 0


def gaussian_smooth(images: torch.Tensor, sigma: torch.Tensor, reach: Sequence[int]) -> torch.Tensor:
    """Separable Gaussian smoothing, borders replicated; gradients reach the images.

    Args:
        images: (N, 1, X, Y, Z).
        sigma: (N, 3) voxels, on the images' device; a zero leaves its axis as it is.
        reach: voxels along each axis at which all kernels end, 4 times the largest sigma or more; 0 skips the axis.
    """
    for axis, radius in enumerate(reach):
        if radius:
            padding = [0] * 6
            padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = radius
            padded = F.pad(images, padding, mode="replicate")
            images = filtered(padded, gaussian_kernels(sigma[:, axis], radius), axis)
    return images


def gaussian_kernels(sigma: torch.Tensor, radius: int) -> torch.Tensor:
    """Kernels (N, 2 radius + 1) of standard deviations (N,), each of sum 1; that of 0 changes nothing."""
    offsets = torch.arange(-radius, radius + 1, device=sigma.device)
    sigma = sigma.float()[:, None]
    weights = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)).square()) * (offsets.abs() <= (CUT * sigma).ceil())
    return weights / weights.sum(dim=1, keepdim=True)


def filtered(images: torch.Tensor, kernels: torch.Tensor, axis: int) -> torch.Tensor:
    """Each image (N, 1, X, Y, Z) with its own symmetric kernel (N, 2 R + 1) along `axis`, which becomes 2 R shorter."""
    shape = [len(images), 1, 1, 1, 1]
    shape[2 + axis] = kernels.shape[1]
    # One group per image. Not in half precision: the style encoder would know images by their rounding.
    with torch.autocast(images.device.type, enabled=False):
        images = images.float()
        kernels = kernels.to(images.dtype).reshape(shape)
        return F.conv3d(images.transpose(0, 1), kernels, groups=len(images)).transpose(0, 1)
