"""Statistics of per-case scores."""

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy.stats import pearsonr, wilcoxon

FAILURE_DICE = 0.1  # a structure below it, or missed, is a failure


@dataclass(frozen=True)
class Distribution:
    """Of one figure over N cases."""

    mean: float
    median: float
    worst_decile: float  # mean of the worst ceil(N / 10) cases


def distribution(values: list[float], *, larger_is_better: bool) -> Distribution:
    """Of `values`, at least one."""
    ordered = np.sort(values) if larger_is_better else np.sort(values)[::-1]
    return Distribution(
        float(np.mean(values)), float(np.median(values)), float(ordered[: math.ceil(len(ordered) / 10)].mean())
    )


def mean_dice(row: dict) -> float:
    """Mean Dice of a case over its structures."""
    return float(np.mean([scores["dice"] for scores in row["structures"].values()]))


def dice_distribution(rows: list[dict]) -> Distribution:
    """Of the cases' mean Dice; at least one row."""
    return distribution([mean_dice(row) for row in rows], larger_is_better=True)


def failures(rows: list[dict]) -> int:
    """Number of structures, over all cases, with Dice below 0.1, missed, or found where there is none."""
    return sum(
        scores["dice"] < FAILURE_DICE or scores["penalised"] for row in rows for scores in row["structures"].values()
    )


def paired_p(rows: list[dict], reference: list[dict], pairing: tuple[str, ...] = ("seed", "case")) -> float:
    """P of the two-sided Wilcoxon signed-rank test of the cases' mean Dice.

    Args:
        rows, reference: of two methods.
        pairing: entries of a row that say which case it is of; several rows of one case count as their mean.

    Returns:
        1 if no pair differs, nan if there is no pair.
    """
    own, others = (_mean_dice_by(pairing, of_method) for of_method in (rows, reference))
    differences = np.array([own[case] - others[case] for case in own.keys() & others.keys()])
    if not differences.size:
        return math.nan
    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0


def dice_and_error(rows: list[dict], synthesis: list[dict], test_set: str) -> list[tuple[float, float]]:
    """Mean Dice of a segmenter, and error in tumour and cochleae of the generators it was trained with.

    Args:
        rows: of table "segmentation".
        synthesis: rows of table "synthesis"; counted are those whose synthesizer is also the key of a method.
        test_set: on which Dice counts.

    Returns:
        One pair for each synthesizer and seed.
    """
    dice = _mean_dice_by(("method", "seed"), [row for row in rows if row["test_set"] == test_set])
    errors = {(row["synthesizer"], row["seed"]): row["structure_error"] for row in synthesis}
    return [(dice[key], errors[key]) for key in errors if key in dice]


def correlation(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Pearson's r and its p, of at least three pairs."""
    found = pearsonr(*zip(*pairs, strict=True))
    return float(found.statistic), float(found.pvalue)


def _mean_dice_by(pairing: tuple[str, ...], rows: list[dict]) -> dict[tuple, float]:
    values = defaultdict(list)
    for row in rows:
        values[tuple(row[name] for name in pairing)].append(mean_dice(row))
    return {case: float(np.mean(own)) for case, own in values.items()}
