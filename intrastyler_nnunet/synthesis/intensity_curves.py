"""Random contrasts of one anatomy: the exemplar's intensities through a curve, as if another sequence had been used.

Sampling is apart from application, as in `perturbations`.
"""

import numpy as np
import torch

CANDIDATES = 128  # of random curves, of which the one is taken that makes an exemplar most like a source
COMPARED = 2048  # voxels by which that is judged
KNOTS = 5  # at equal distances over [-1, 1]


def sample_curves(rng: np.random.Generator, count: int) -> np.ndarray:
    """Values in [-1, 1] of curves at their knots, (N, CANDIDATES, KNOTS); what gives no signal (-1) never does."""
    curves = rng.uniform(-1, 1, (count, CANDIDATES, KNOTS))
    curves[..., 0] = -1
    return curves


def most_alike(curves: torch.Tensor, images: torch.Tensor, models: torch.Tensor) -> torch.Tensor:
    """The curve after which each image is most like its model: least Wasserstein-1 distance of their intensities.

    Args:
        curves: (N, C, KNOTS), candidates for every image.
        images, models: (N, 1, X, Y, Z) in [-1, 1].

    Returns:
        (N, KNOTS).
    """
    some = _evenly_spaced(images).repeat_interleave(curves.shape[1], dim=0)
    mapped = apply_curves(some, curves.flatten(0, 1)).unflatten(0, curves.shape[:2]).sort(dim=-1).values
    wanted = _evenly_spaced(models).sort(dim=-1).values
    best = (mapped - wanted[:, None]).abs().mean(dim=-1).argmin(dim=1)
    return curves[torch.arange(len(curves), device=curves.device), best]


def apply_curves(images: torch.Tensor, curves: torch.Tensor) -> torch.Tensor:
    """Every image through its curve (N, KNOTS), linear between knots: (N, ...) in [-1, 1] -> the same."""
    values = curves.to(images)
    place = (images.clamp(-1, 1) + 1) * ((KNOTS - 1) / 2)
    left = place.floor().clamp(max=KNOTS - 2)
    index = left.long().flatten(1)
    below, above = (values.gather(1, index + step).view_as(images) for step in (0, 1))
    return torch.lerp(below, above, place - left)


def _evenly_spaced(images: torch.Tensor) -> torch.Tensor:
    """COMPARED voxels of each image, (N, COMPARED) float32."""
    voxels = images.flatten(1)
    places = torch.linspace(0, voxels.shape[1] - 1, COMPARED, device=voxels.device).long()
    return voxels[:, places].float()
