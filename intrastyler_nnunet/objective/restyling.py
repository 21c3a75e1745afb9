"""Random contrasts of one anatomy: the exemplar's intensities through a curve, as if another sequence had been used.

Sampling is apart from application, as in `perturbations`.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from intrastyler_nnunet.objective.perturbations import Perturbation, perturb, sample_perturbation
from intrastyler_nnunet.translation.curves import through_curves

CANDIDATES = 512  # random curves to begin with
ROUNDS, BEST, CHANGED = 4, 16, 128  # how often the best so far are changed, how many, and into how many others
COMPARED = 512  # voxels by which curves are judged
KNOTS = 4


@dataclass(frozen=True)
class RandomCurves:
    """Curves among which `most_alike` searches, in ranks of 0..1: where knots lie, and values there.

    The former are ranks of the exemplar's intensities, from 0 to 1, the latter of the source's. The exemplar's darkest
    voxels, which give no signal, stay the darkest.
    """

    ranks: np.ndarray  # (N, CANDIDATES, 2, KNOTS)
    changes: np.ndarray  # (N, ROUNDS, CHANGED, 2, KNOTS), what is added to the ranks of the best


def sample_curves(rng: np.random.Generator, count: int) -> RandomCurves:
    """Random curves for `count` images; changes become smaller from round to round."""
    ranks = rng.uniform(0, 1, (count, CANDIDATES, 2, KNOTS))
    ranks[..., 0], ranks[:, :, 0, -1] = 0, 1
    sizes = 0.2 * (1 - np.arange(ROUNDS) / ROUNDS)
    changes = rng.normal(0, sizes[:, None, None, None], (count, ROUNDS, CHANGED, 2, KNOTS))
    changes[..., 0], changes[..., 0, -1] = 0, 0
    return RandomCurves(ranks, changes)


@dataclass(frozen=True)
class WithoutShortcuts:
    """Random numbers for N restylings, whatever styles are wanted.

    Otherwise noise in the input means that the exemplar itself is wanted, and the input is never blurrier than what is
    wanted, so that a generator need neither sharpen nor look at the style's sharpness.
    """

    degradation: Perturbation  # of the input: blur and noise, each by a coin
    itself: np.ndarray  # (N,) bool, where the exemplar itself is wanted, in its own style


DEGRADED_SIGMA, DEGRADED_NOISE = (0.3, 1.2), (0.02, 0.1)  # voxels; of a range of 1
ITSELF = 0.5  # share of restylings that want the exemplar itself


def sample_without_shortcuts(rng: np.random.Generator, count: int) -> WithoutShortcuts:
    """For `count` images."""
    none = sample_perturbation(rng, count).only()
    sigma = rng.uniform(*DEGRADED_SIGMA, (count, 1)) * (rng.random((count, 1)) < 0.5) * np.ones(3)
    noise = rng.uniform(*DEGRADED_NOISE, count) * (rng.random(count) < 0.5)
    return WithoutShortcuts(replace(none, sigma=sigma, noise=noise), rng.random(count) < ITSELF)


class Restyling(NamedTuple):
    """What the generator gets, what it shall make of it, (B, 1, X, Y, Z), and in which style (B, K)."""

    given: torch.Tensor
    wanted: torch.Tensor
    style: torch.Tensor


def restyle(
    exemplar: torch.Tensor, source: torch.Tensor, curves: RandomCurves, change: Perturbation,
    style: torch.Tensor, other_style: torch.Tensor, shortcuts: "WithoutShortcuts | None" = None,
) -> Restyling:  # fmt: skip
    """An exemplar in a random contrast, of several the one most alike to what the generator has as `source`.

    Where styles are learnt, the generator shall make the exemplar with the contrast and blur of its first negative.
    Noise cannot be foretold and a style vector has no places for a bias field: where a negative has those, the
    generator shall make the exemplar itself, from an input with that noise.

    Args:
        exemplar, source: (B, 1, X, Y, Z) in [-1, 1].
        curves: for as many images.
        change: the perturbation of the exemplars' first negatives.
        style, other_style: (B, K) of the exemplars and of their first negatives; one tensor if styles are not learnt.
        shortcuts: what keeps the generator from telling by its input what is wanted; None: it may.
    """
    degradation = change.only("noise") if shortcuts is None else shortcuts.degradation
    given = perturb(apply_curves(exemplar, most_alike(curves, exemplar, source)), degradation)
    if other_style is style:
        return Restyling(given, exemplar, style)
    change, whole = change.only_in_style()
    if shortcuts is not None:
        whole = whole & ~shortcuts.itself
    restyled = torch.as_tensor(whole).to(style.device)[:, None]
    wanted = torch.where(restyled[..., None, None, None], perturb(exemplar, change), exemplar)
    return Restyling(given, wanted, torch.where(restyled, other_style, style))


def most_alike(random: RandomCurves, images: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
    """The curve, of all that were tried, after which each image is most like its source.

    That is, with the least sum of two Wasserstein-1 distances: of the voxels' darkest and of their brightest
    neighbours. Intensities alone would leave open which tissue lies beside which.

    Args:
        random: for as many images.
        images, sources: (N, 1, X, Y, Z) in [-1, 1].

    Returns:
        (N, 2, KNOTS): intensities at which the curve has its knots, ascending, and its values there.
    """
    neighbours = torch.stack([_evenly_spaced(part) for part in _neighbours(images)], dim=1)
    wanted = torch.stack([_evenly_spaced(part).sort(dim=-1).values for part in _neighbours(sources)], dim=1)
    ordered = torch.stack([_evenly_spaced(x).sort(dim=-1).values for x in (images, sources)], dim=1)
    ranks, changes = (torch.as_tensor(x, dtype=torch.float32).to(images.device) for x in (random.ranks, random.changes))
    distances = _distances(_curves(ranks, ordered), neighbours, wanted)
    for change in changes.unbind(1):
        best = _chosen(ranks, distances.argsort(dim=1)[:, :BEST])
        tried = (best.repeat(1, CHANGED // BEST, 1, 1) + change).clamp(0, 1)
        ranks = torch.cat([ranks, tried], dim=1)
        distances = torch.cat([distances, _distances(_curves(tried, ordered), neighbours, wanted)], dim=1)
    return _curves(_chosen(ranks, distances.argmin(dim=1, keepdim=True)), ordered)[:, 0]


def apply_curves(images: torch.Tensor, curves: torch.Tensor) -> torch.Tensor:
    """Every image through its curve (N, 2, KNOTS): (N, 1, X, Y, Z) in [-1, 1] -> the same.

    A voxel between two tissues is a mixture of both in every contrast. Through a curve it would get the contrast of
    whatever tissue lies between them, such as a rim as bright as brain around fluid in bone. So a voxel counts as a
    mixture of its darkest and its brightest neighbour, and these two go through the curve.
    """
    darkest, brightest = _neighbours(images)
    share = (images - darkest) / (brightest - darkest).clamp(min=1e-6)
    return torch.lerp(through_curves(darkest, curves), through_curves(brightest, curves), share)


def _neighbours(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The darkest and the brightest of the 27 voxels around each."""
    return -F.max_pool3d(-images, 3, 1, 1), F.max_pool3d(images, 3, 1, 1)


def _chosen(ranks: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Pick the curves at places (N, M) from the ranks (N, C, 2, KNOTS) of each image."""
    return ranks.gather(1, places[..., None, None].expand(-1, -1, *ranks.shape[2:]))


def _curves(ranks: torch.Tensor, ordered: torch.Tensor) -> torch.Tensor:
    """Intensities of knots, (N, C, 2, KNOTS); `ordered`: sorted intensities of images and sources, (N, 2, COMPARED)."""
    ranks = torch.stack([ranks[:, :, 0].sort(dim=-1).values, ranks[:, :, 1]], dim=2)
    places = (ranks * (COMPARED - 1)).round().long()
    return ordered[:, None].expand(-1, ranks.shape[1], -1, -1).gather(3, places)


def _distances(curves: torch.Tensor, neighbours: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """How far each curve leaves the darkest and brightest neighbours (N, 2, COMPARED) from those wanted: (N, C)."""
    count = curves.shape[1]
    mapped = through_curves(neighbours.repeat_interleave(count, dim=0), curves.flatten(0, 1)).unflatten(0, (-1, count))
    found = mapped.sort(dim=2).values.sort(dim=-1).values  # first which one is the darker, then along the voxels
    return (found - wanted[:, None]).abs().mean(dim=-1).sum(dim=-1)


def _evenly_spaced(images: torch.Tensor) -> torch.Tensor:
    """COMPARED voxels of each image, (N, COMPARED) float32."""
    voxels = images.flatten(1)
    places = torch.linspace(0, voxels.shape[1] - 1, COMPARED, device=voxels.device).long()
    return voxels[:, places].float()
