"""Random contrasts of one anatomy: the exemplar's intensities through a curve, as if another sequence had been used.

Sampling is apart from application, as in `perturbations`.
"""

import numpy as np
import torch
import torch.nn.functional as F

CANDIDATES = 2048  # random curves, of which the one is taken that makes an exemplar most like a source
COMPARED = 512  # voxels by which that is judged
KNOTS = 4


def sample_ranks(rng: np.random.Generator, count: int) -> np.ndarray:
    """Knots of random curves: ranks in [0, 1] of the exemplar's and of the source's intensities, (N, C, 2, KNOTS).

    The exemplar's ascend from 0 to 1. Its darkest voxels, which give no signal, stay the darkest.
    """
    ranks = rng.uniform(0, 1, (count, CANDIDATES, 2, KNOTS))
    ranks[..., 0], ranks[:, :, 0, -1] = 0, 1
    ranks[:, :, 0].sort(axis=-1)
    return ranks


def most_alike(ranks: torch.Tensor, images: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
    """The curve after which each image is most like its source.

    That is, with the least sum of two Wasserstein-1 distances: of intensities, and of the ranges between the darkest
    and the brightest neighbour. Intensities alone leave open which tissue lies beside which.

    Args:
        ranks: (N, C, 2, KNOTS), candidates for every image.
        images, sources: (N, 1, X, Y, Z) in [-1, 1].

    Returns:
        (N, 2, KNOTS): intensities at which the curve has its knots, ascending, and its values there.
    """
    count = ranks.shape[1]
    ordered = torch.stack([_evenly_spaced(x).sort(dim=-1).values for x in (images, sources)], dim=1)
    places = (ranks * (COMPARED - 1)).round().long()
    curves = ordered[:, None].expand(-1, count, -1, -1).gather(3, places)
    parts = (_evenly_spaced(part).repeat_interleave(count, dim=0) for part in (images, *_neighbours(images)))
    mapped, low, high = _mixed(*parts, curves.flatten(0, 1))
    darkest, brightest = _neighbours(sources)
    wanted = torch.stack([ordered[:, 1], _evenly_spaced(brightest - darkest).sort(dim=-1).values], dim=1)
    found = torch.stack([mapped, (high - low).abs()], dim=1).unflatten(0, (-1, count)).sort(dim=-1).values
    best = (found - wanted[:, None]).abs().mean(dim=-1).sum(dim=-1).argmin(dim=1)
    return curves[torch.arange(len(curves), device=curves.device), best]


def apply_curves(images: torch.Tensor, curves: torch.Tensor) -> torch.Tensor:
    """Every image through its curve (N, 2, KNOTS): (N, 1, X, Y, Z) in [-1, 1] -> the same.

    A voxel between two tissues is a mixture of both in every contrast. Through a curve it would get the contrast of
    whatever tissue lies between them, such as a rim as bright as brain around fluid in bone. So a voxel counts as a
    mixture of its darkest and its brightest neighbour, and these two go through the curve.
    """
    return _mixed(images, *_neighbours(images), curves)[0]


def _neighbours(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The darkest and the brightest of the 27 voxels around each."""
    return -F.max_pool3d(-images, 3, 1, 1), F.max_pool3d(images, 3, 1, 1)


def _mixed(
    images: torch.Tensor, darkest: torch.Tensor, brightest: torch.Tensor, curves: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Intensities (N, ...) as mixtures of two others that go through curves (N, 2, KNOTS), and these two."""
    share = (images - darkest) / (brightest - darkest).clamp(min=1e-6)
    first, second = (_interpolated(part, curves) for part in (darkest, brightest))
    return torch.lerp(first, second, share), first, second


def _interpolated(images: torch.Tensor, curves: torch.Tensor) -> torch.Tensor:
    """The values of curves (N, 2, KNOTS) at intensities (N, ...): linear between knots, constant beyond."""
    places, values = curves.to(images).unbind(1)
    flat = images.flatten(1).contiguous()
    right = torch.searchsorted(places.contiguous(), flat).clamp(1, KNOTS - 1)
    (x0, x1), (y0, y1) = ((knots.gather(1, right - 1), knots.gather(1, right)) for knots in (places, values))
    share = ((flat - x0) / (x1 - x0).clamp(min=1e-6)).clamp(0, 1)
    return torch.lerp(y0, y1, share).view_as(images)


def _evenly_spaced(images: torch.Tensor) -> torch.Tensor:
    """COMPARED voxels of each image, (N, COMPARED) float32."""
    voxels = images.flatten(1)
    places = torch.linspace(0, voxels.shape[1] - 1, COMPARED, device=voxels.device).long()
    return voxels[:, places].float()
