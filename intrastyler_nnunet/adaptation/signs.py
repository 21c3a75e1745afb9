"""Label-free signs of how well models segment an image: pure functions of label maps."""

from collections.abc import Sequence

import numpy as np

from intrastyler_nnunet.crossmoda.pseudo_label import reasons_to_drop
from intrastyler_nnunet.evaluation.metrics import dice
from intrastyler_nnunet.structures import Structures

LabelValues = int | tuple[int, ...]  # of a structure; several for one of nnU-Net's regions


def found_by_any(label_maps: Sequence[np.ndarray], structures: Sequence[LabelValues]) -> list[LabelValues]:
    """The structures that at least one of the label maps has; the others tell nothing of an image."""
    return [values for values in structures if any(np.isin(labels, values).any() for labels in label_maps)]


def mean_dice(
    first: np.ndarray, second: np.ndarray, structures: Sequence[LabelValues], both_empty: float = 0.0
) -> float:
    """Mean Dice of two label maps (Z, Y, X) over structures; NaN without any.

    Args:
        first, second: label maps.
        structures: their label values.
        both_empty: what a structure counts that neither has. 0 between models: to find nothing is no support.
    """
    masks = [(np.isin(first, values), np.isin(second, values)) for values in structures]
    values = [dice(a, b) if a.any() or b.any() else both_empty for a, b in masks]
    return float(np.mean(values)) if values else float("nan")


def pairwise_dice(label_maps: Sequence[np.ndarray], structures: Sequence[LabelValues]) -> np.ndarray:
    """Mean Dice (M, M) of every two of M models' label maps of one image, over `found_by_any`; 1 on the diagonal."""
    found = found_by_any(label_maps, structures)
    table = np.eye(len(label_maps))
    for i in range(len(label_maps)):
        for j in range(i):
            table[i, j] = table[j, i] = mean_dice(label_maps[i], label_maps[j], found)
    return table


def agreement(table: np.ndarray) -> np.ndarray:
    """Mean Dice (M,) of each model with all others, of `pairwise_dice`."""
    return (table.sum(axis=1) - 1) / (len(table) - 1)


def disagreement(table: np.ndarray) -> float:
    """1 - mean Dice of all pairs of models."""
    return 1 - float(agreement(table).mean())


def stability(
    label_maps: Sequence[np.ndarray], jittered: Sequence[Sequence[np.ndarray]], structures: Sequence[LabelValues]
) -> np.ndarray:
    """Mean Dice (M,) between each model's label map of an image and those of the image in jittered styles.

    Args:
        label_maps: of M models.
        jittered: for each model, those of the jittered images.
        structures: their label values; only `found_by_any` counts.
    """
    found = found_by_any(label_maps, structures)
    return np.array([
        np.mean([mean_dice(labels, other, found) for other in others])
        for labels, others in zip(label_maps, jittered, strict=True)
    ])  # fmt: skip


def plausibility(label_maps: Sequence[np.ndarray], structures: Structures) -> np.ndarray:
    """1 for each of M label maps that the rules for pseudo-labels would train on, else 0."""
    return np.array([float(not reasons_to_drop(labels, structures)) for labels in label_maps])
