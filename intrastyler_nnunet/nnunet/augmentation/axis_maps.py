"""Separable linear operations on images, as one small matrix per axis.

Gaussian blur and simulated low resolution are both linear and separable. Written as matrices they apply to
images with different parameters in one batched product, and the matrices are made on the CPU.
"""

import math

import numpy as np
import torch
from torch.nn import functional as F


def gaussian_blur_matrix(length: int, sigma: float) -> torch.Tensor:
    """(length, length) matrix of convolution with a Gaussian and mirrored borders.

    Args:
        length: number of voxels along the axis; at least half the kernel.
        sigma: standard deviation in voxels. The kernel has the odd length nearest to 6 sigma + 1/2.
    """
    half = math.floor((6 * sigma + 0.5) / 2)
    kernel = torch.exp(-0.5 * (torch.arange(-half, half + 1) / sigma) ** 2)
    padded = F.pad(torch.eye(length)[None], (half, half), mode="reflect")[0]
    # Row i holds the response to the impulse at voxel i; the transpose maps images.
    return F.conv1d(padded[:, None], (kernel / kernel.sum())[None, None])[:, 0].T.contiguous()


def low_resolution_matrix(length: int, scale: float) -> torch.Tensor:
    """(length, length) matrix: keep a fraction of the voxels (nearest), then interpolate linearly back.

    Args:
        length: number of voxels along the axis.
        scale: fraction kept, in (0, 1].
    """
    kept = round(length * float(np.float32(scale)))
    impulses = torch.eye(length)[None]
    coarse = F.interpolate(impulses, kept, mode="nearest-exact")
    return F.interpolate(coarse, length, mode="linear")[0].T.contiguous()


def apply_along_axes(images: torch.Tensor, matrices: list[torch.Tensor]) -> torch.Tensor:
    """Multiply every axis of every image by its matrix.

    Args:
        images: (N, *spatial).
        matrices: one (N, length, length) tensor per spatial axis, on the images' device.
    """
    for axis, matrix in enumerate(matrices, start=1):
        moved = images.movedim(axis, 1)
        product = torch.bmm(matrix.to(images.dtype), moved.flatten(2))
        images = product.reshape(moved.shape).movedim(1, axis)
    return images.contiguous()
