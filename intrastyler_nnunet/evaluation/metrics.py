"""Dice, ASSD, NSD, 95 % Hausdorff distance and boundary ASSD of one case.

docs/metrics.md has the definitions and the rules for empty masks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects

from intrastyler_nnunet.evaluation.surfaces import (
    hausdorff_95,
    interface_points,
    mean_distance,
    nearest_distances,
    share_within,
    surface_points,
)
from intrastyler_nnunet.structures import BOUNDARY, Labels

# The organisers' 2022 evaluation gives an empty prediction this ASSD: farther than a head is wide.
EMPTY_PENALTY_MM = 350.0
TOLERANCE_MM = 1.0  # of the normalised surface Dice: about two voxels of the challenge


@dataclass(frozen=True)
class StructureScores:
    """Scores of one structure of one case."""

    dice: float  # 0 to 1
    assd: float  # mm
    nsd: float  # normalised surface Dice, 0 to 1
    hd95: float  # mm, 95 % Hausdorff distance
    penalised: bool  # exactly one of prediction and reference is empty, so `assd` and `hd95` are the penalty


@dataclass(frozen=True)
class BoundaryScores:
    """Scores of the interface between the extra- and the intra-meatal part of one case."""

    assd: float  # mm
    penalised: bool  # exactly one of prediction and reference has no interface, so `assd` is the penalty


@dataclass(frozen=True)
class CaseScores:
    """Scores of one case."""

    structures: dict[str, StructureScores]
    boundary: BoundaryScores | None  # None if the labels do not tell the two tumour parts apart


def evaluate_case(
    prediction: np.ndarray,
    reference: np.ndarray,
    spacing: Sequence[float],
    labels: Labels,
    assd_definition: str = "pooled",
    tolerance: float = TOLERANCE_MM,
) -> CaseScores:
    """Score one prediction.

    prediction, reference: (I, J, K) integer label maps on the same grid.
    spacing: (3,) voxel size in mm, in the arrays' axis order.
    labels: value or values of each structure.
    assd_definition: "pooled" or "directed", see `surfaces.mean_distance`.
    tolerance: mm, of the normalised surface Dice.

    Raises ValueError if shapes or the length of `spacing` do not match.
    """
    if prediction.shape != reference.shape or len(spacing) != reference.ndim:
        raise ValueError(f"shapes {prediction.shape} and {reference.shape}, spacing {spacing}: do not match")
    prediction, reference = _crop_to_foreground(prediction, reference)
    predicted = {name: np.isin(prediction, value) for name, value in labels.items()}
    true = {name: np.isin(reference, value) for name, value in labels.items()}

    structures = {}
    for name in labels:
        overlap = dice(predicted[name], true[name])
        first, second = surface_points(predicted[name], spacing), surface_points(true[name], spacing)
        if len(first) and len(second):
            distances = nearest_distances(first, second)
            assd, nsd = mean_distance(*distances, assd_definition), share_within(*distances, tolerance)
            structures[name] = StructureScores(overlap, assd, nsd, hausdorff_95(*distances), False)
        else:
            distance, penalised = _of_empty(first, second)
            structures[name] = StructureScores(overlap, distance, float(not penalised), distance, penalised)

    boundary = None
    if all(part in labels for part in BOUNDARY):
        inner, outer = BOUNDARY
        found, wanted = (interface_points(masks[inner], masks[outer], spacing) for masks in (predicted, true))
        if len(found) and len(wanted):
            boundary = BoundaryScores(mean_distance(*nearest_distances(found, wanted), assd_definition), False)
        else:
            boundary = BoundaryScores(*_of_empty(found, wanted))
    return CaseScores(structures, boundary)


def dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """2 |A and B| / (|A| + |B|) of two boolean masks; 1 if both are empty."""
    size = np.count_nonzero(prediction) + np.count_nonzero(reference)
    return float(2 * np.count_nonzero(prediction & reference) / size) if size else 1.0


def _of_empty(prediction: np.ndarray, reference: np.ndarray) -> tuple[float, bool]:
    """The distance in mm of two point sets, one or both of them empty, and whether it is the penalty."""
    penalised = len(prediction) != len(reference)
    return (EMPTY_PENALTY_MM if penalised else 0.0), penalised


def _crop_to_foreground(*label_maps: np.ndarray) -> list[np.ndarray]:
    # Beyond this box there is background only, as there is beyond the image: no surface changes.
    foreground = np.any([label_map != 0 for label_map in label_maps], axis=0)
    if not foreground.any():
        return [np.empty((0,) * foreground.ndim, int) for _ in label_maps]
    (box,) = find_objects(foreground.astype(np.uint8))
    return [label_map[box] for label_map in label_maps]
