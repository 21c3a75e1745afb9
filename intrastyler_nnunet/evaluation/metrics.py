"""Dice, ASSD and boundary ASSD of one case.

docs/metrics.md has the definitions and the rules for empty masks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects

from intrastyler_nnunet.evaluation.surfaces import interface_points, mean_distance, surface_points
from intrastyler_nnunet.structures import BOUNDARY, Labels

# The organisers' 2022 evaluation gives an empty prediction this ASSD: farther than a head is wide.
EMPTY_PENALTY_MM = 350.0


@dataclass(frozen=True)
class StructureScores:
    """Scores of one structure of one case."""

    dice: float  # 0 to 1
    assd: float  # mm
    penalised: bool  # exactly one of prediction and reference is empty, so `assd` is the penalty


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
) -> CaseScores:
    """Score one prediction.

    prediction, reference: (I, J, K) integer label maps on the same grid.
    spacing: (3,) voxel size in mm, in the arrays' axis order.
    labels: value or values of each structure.
    assd_definition: "pooled" or "directed", see `surfaces.mean_distance`.

    Raises ValueError if shapes or the length of `spacing` do not match.
    """
    if prediction.shape != reference.shape or len(spacing) != reference.ndim:
        raise ValueError(f"shapes {prediction.shape} and {reference.shape}, spacing {spacing}: do not match")
    prediction, reference = _crop_to_foreground(prediction, reference)
    predicted = {name: np.isin(prediction, value) for name, value in labels.items()}
    true = {name: np.isin(reference, value) for name, value in labels.items()}

    structures = {}
    for name in labels:
        surfaces = surface_points(predicted[name], spacing), surface_points(true[name], spacing)
        assd, penalised = symmetric_distance(*surfaces, assd_definition)
        structures[name] = StructureScores(dice(predicted[name], true[name]), assd, penalised)

    boundary = None
    if all(part in labels for part in BOUNDARY):
        first, second = BOUNDARY
        found, wanted = (interface_points(masks[first], masks[second], spacing) for masks in (predicted, true))
        boundary = BoundaryScores(*symmetric_distance(found, wanted, assd_definition))
    return CaseScores(structures, boundary)


def dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """2 |A and B| / (|A| + |B|) of two boolean masks; 1 if both are empty."""
    size = np.count_nonzero(prediction) + np.count_nonzero(reference)
    return float(2 * np.count_nonzero(prediction & reference) / size) if size else 1.0


def symmetric_distance(prediction: np.ndarray, reference: np.ndarray, definition: str) -> tuple[float, bool]:
    """Average symmetric distance in mm of two surfaces, (N, 3) and (M, 3), and whether it is the penalty.

    0 if both are empty, EMPTY_PENALTY_MM if exactly one is.
    """
    if len(prediction) and len(reference):
        return mean_distance(prediction, reference, definition), False
    penalised = len(prediction) != len(reference)
    return (EMPTY_PENALTY_MM if penalised else 0.0), penalised


def _crop_to_foreground(*label_maps: np.ndarray) -> list[np.ndarray]:
    # Beyond this box there is background only, as there is beyond the image: no surface changes.
    foreground = np.any([label_map != 0 for label_map in label_maps], axis=0)
    if not foreground.any():
        return [np.empty((0,) * foreground.ndim, int) for _ in label_maps]
    (box,) = find_objects(foreground.astype(np.uint8))
    return [label_map[box] for label_map in label_maps]
