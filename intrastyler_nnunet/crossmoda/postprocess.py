"""What a label map may not hold: more than one tumour, more than two cochleae."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import generate_binary_structure, label

from intrastyler_nnunet.crossmoda.labels import COCHLEA, EXTRA_MEATAL, INTRA_MEATAL

TOUCHING = generate_binary_structure(3, 3)  # voxels that share a corner belong together


@dataclass(frozen=True)
class Rules:
    """Which rules apply."""

    one_tumour: bool = True  # the largest component, one with both parts before one with a single part
    two_cochleae: bool = True  # the two largest components


@dataclass(frozen=True)
class Change:
    """What was removed from one structure of a case."""

    structure: str
    components: int
    voxels: int


def postprocess(labels: np.ndarray, rules: Rules) -> tuple[np.ndarray, list[Change]]:
    """Apply the rules to a label map (Z, Y, X); returns a new one and what was removed from it."""
    cleaned, changes = labels.copy(), []
    if rules.one_tumour:
        tumour = np.isin(labels, (EXTRA_MEATAL, INTRA_MEATAL))
        changes += _keep(cleaned, tumour, 1, "tumour", both_parts_first=True)
    if rules.two_cochleae:
        changes += _keep(cleaned, labels == COCHLEA, 2, "cochlea")
    return cleaned, changes


def _keep(
    labels: np.ndarray, mask: np.ndarray, count: int, structure: str, both_parts_first: bool = False
) -> list[Change]:
    """Set all but the best `count` components of `mask` to background, in place."""
    components, number = label(mask, TOUCHING)
    if number <= count:
        return []
    sizes = np.bincount(components.ravel(), minlength=number + 1)[1:]
    whole = np.zeros(number, bool)
    if both_parts_first:
        parts = [np.bincount(components[labels == part], minlength=number + 1)[1:] > 0
                 for part in (EXTRA_MEATAL, INTRA_MEATAL)]  # fmt: skip
        whole = parts[0] & parts[1]
    best = 1 + np.lexsort((sizes, whole))[::-1][:count]
    removed = mask & ~np.isin(components, best)
    labels[removed] = 0
    return [Change(structure, number - count, int(removed.sum()))]
