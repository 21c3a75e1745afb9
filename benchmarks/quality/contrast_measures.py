"""What an image looks like, in six numbers that need no network: tissue contrast, noise level, blur.

All are relative to the image's own intensity window, so that nothing of them is handed over with the window.
"""

import numpy as np
from scipy.ndimage import binary_erosion, convolve

from benchmarks.quality.simulated_pairs import Pair, tissue_masks
from intrastyler_nnunet.simulation.patient import Anatomy

MEASURES = ("csf", "brain", "tumour", "bone", "noise", "blur")
BORDERS = ("csf", "brain", "bone")  # tissues whose common borders show the blur
# Immerkaer, Computer Vision and Image Understanding 64(2), 1996: blind to edges that are straight
NOISE_KERNEL = np.outer((1, -2, 1), (1, -2, 1))[:, :, None]


def contrast_measures(volume: np.ndarray, window: tuple[float, float], anatomy: Anatomy) -> dict[str, float]:
    """The six `MEASURES` of an image (x, y, z) of `anatomy`; the tumour's is nan where there is none.

    Brain and tumour: logarithm of the mean intensity within the window. CSF and bone lie near the ends of the window
    in every T2 image, so what counts is their distance to the brain: logarithm of the ratio to it; noise likewise.
    """
    image = (volume - window[0]) / (window[1] - window[0])
    masks = tissue_masks(anatomy)
    brain = image[masks["brain"]].mean()
    return {
        "csf": _log(image[masks["csf"]].mean() / brain),
        "brain": _log(brain),
        "tumour": _log(image[masks["tumour"]].mean()) if masks["tumour"].any() else float("nan"),
        "bone": _log(image[masks["bone"]].mean() / brain),
        "noise": _log(noise_level(image, masks["brain"]) / brain),
        "blur": blur(image, masks),
    }


def noise_level(image: np.ndarray, brain: np.ndarray) -> float:
    """Standard deviation of the noise in the brain: sqrt(pi/2) times the mean of |image * kernel| / 6."""
    response = np.abs(convolve(image, NOISE_KERNEL, mode="nearest"))
    inside = binary_erosion(brain, np.ones((3, 3, 1)))
    return float(np.sqrt(np.pi / 2) * response[inside].mean() / 6)


def blur(image: np.ndarray, masks: dict[str, np.ndarray]) -> float:
    """1 - the step between neighbouring voxels of two tissues, as a part of the step between the tissues' medians.

    Least squares over all neighbours along each axis that belong to two tissues: 0 sharp, 1 no edge left.
    """
    level = np.full(image.shape, np.nan)
    for name in BORDERS:
        level[masks[name]] = np.median(image[masks[name]])
    products, squares = 0.0, 0.0
    for axis in range(3):
        expected, step = np.diff(level, axis=axis), np.diff(image, axis=axis)
        border = np.isfinite(expected) & (expected != 0)
        products += float((expected * step)[border].sum())
        squares += float((expected**2)[border].sum())
    return 1 - products / squares


def style_control(images: list[np.ndarray], pairs: list[Pair]) -> dict[str, float]:
    """Pearson's r of each of `MEASURES` over images and their exemplars, and their mean; 0 where nothing varies."""
    measured = [contrast_measures(i, p.exemplar.window, p.source.anatomy) for i, p in zip(images, pairs, strict=True)]
    wanted = [contrast_measures(p.exemplar.volume, p.exemplar.window, p.exemplar.anatomy) for p in pairs]
    result = {}
    for name in MEASURES:
        values = np.array([(a[name], b[name]) for a, b in zip(measured, wanted, strict=True)])
        values = values[np.isfinite(values).all(axis=1)]
        result[name] = float(np.corrcoef(values.T)[0, 1]) if (np.ptp(values, axis=0) > 0).all() else 0.0
    return result | {"mean": float(np.mean(list(result.values())))}


def _log(value: float) -> float:
    return float(np.log(max(value, 1e-3)))
