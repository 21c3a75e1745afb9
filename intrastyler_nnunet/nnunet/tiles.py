"""Translating a volume that is larger than what the generator was trained on."""
from collections.abc import Callable, Sequence
from itertools import product
from math import prod

import torch
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window

# Up to this many patches' worth of voxels a volume is translated whole: instance normalisation then sees one
# set of statistics and no seam can appear.
WHOLE_VOLUME_PATCHES = 4


def translate_in_tiles(
    translate: Callable[[tuple[slice, ...]], torch.Tensor], images: torch.Tensor, tile_size: Sequence[int]
) -> torch.Tensor:
    """Translate `images` whole or, where that is too large, in half-overlapping tiles with Gaussian weights.

    Args:
        translate: maps an index into `images` to the translation of that part.
        images: (1, C, *spatial).
        tile_size: training patch size.

    Returns:
        A tensor like `images`.
    """
    shape = images.shape[2:]
    if prod(shape) <= WHOLE_VOLUME_PATCHES * prod(tile_size):
        return translate((slice(None),) * images.ndim)
    tile = tuple(min(length, extent) for length, extent in zip(tile_size, shape, strict=True))
    weight = compute_gaussian(tile, dtype=images.dtype, device=images.device)
    weighted_sum, weight_sum = torch.zeros_like(images), torch.zeros_like(images)
    for corner in product(*compute_steps_for_sliding_window(shape, tile, 0.5)):
        extent = tuple(slice(start, start + length) for start, length in zip(corner, tile, strict=True))
        window = (slice(None), slice(None), *extent)
        weighted_sum[window] += translate(window) * weight
        weight_sum[window] += weight
    return weighted_sum / weight_sum
