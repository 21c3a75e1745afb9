"""Images of which it is known how they were acquired: tissues in smooth shapes, blurred, sampled, and noisy."""

from functools import cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, uniform_filter

SHAPE = (48, 44, 14)
FINE = 3  # of the phantom's voxels, along each axis, make one of the image


@cache
def tissues(seed: int) -> np.ndarray:
    """Intensities of dark tissue, brain and fluid on the fine grid."""
    coarse = np.random.default_rng(seed).normal(size=SHAPE)
    field = gaussian_filter(coarse, 2.5, mode="wrap").repeat(FINE, 0).repeat(FINE, 1).repeat(FINE, 2)
    field = gaussian_filter(field, 2, mode="wrap", truncate=2)
    return np.choose(np.digitize(field, np.quantile(field, (0.2, 0.85))), (-0.8, -0.2, 0.6)).astype(np.float32)


def phantom(seed: int, blur=(0.0, 0.0, 0.0), noise: float = 0.0, grain=(0.0, 0.0, 0.0)) -> torch.Tensor:
    """(1, 1, X, Y, Z) in [-1, 1]; `blur` and `grain` are SciPy's deviations in voxels, `noise` is that of the noise."""
    fine = gaussian_filter(tissues(seed), [FINE * sigma for sigma in blur], mode="wrap")
    voxels = uniform_filter(fine, FINE, mode="wrap")[(slice(FINE // 2, None, FINE),) * 3]
    white = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), grain, mode="wrap")
    image = voxels + noise * white / white.std()
    return torch.from_numpy(image.clip(-1, 1).astype(np.float32))[None, None]
