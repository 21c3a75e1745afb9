"""Validation by style: how well is each kind of scanner segmented, and which is the worst?"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import distributed

from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.clusters import typical_exemplars
from intrastyler_nnunet.styles.sampling import KEEP_SOURCE
from intrastyler_nnunet.typed_json import Probability, read_json_lines

TABLE, PLOT = "styles.jsonl", "progress_styles.png"
MEMORY = 0.9  # weight of an epoch over that of the next in averages
ENOUGH_BATCHES = 5  # of a style in an epoch

matplotlib.use("agg")


@dataclass(frozen=True)
class ValidationStyles:
    """The most typical exemplar of each cluster of styles (TypiClust; paper section 3)."""

    exemplars: tuple[int, ...]  # numbers in all banks together; KEEP_SOURCE is the source's own style
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.exemplars)


def choose_validation_styles(
    banks: Sequence[StyleBank], probabilities: np.ndarray, with_source: bool = False
) -> ValidationStyles:
    """Choose among the exemplars that are drawn at all.

    Args:
        banks: the exemplars of each generator.
        probabilities: of all of them, one bank after the other.
        with_source: also the source's own style, because some training samples keep it.
    """
    chosen: dict[str, int] = {}
    first = 0
    for number, bank in enumerate(banks, start=1):
        drawn = np.flatnonzero(probabilities[first : first + len(bank.names)])
        if len(drawn):
            vectors = bank.vectors[torch.from_numpy(drawn)]
            typical = drawn[typical_exemplars(vectors, bank.labels_of(drawn))]
            prefix = f"generator{number}_" if len(banks) > 1 else ""
            chosen |= {prefix + bank.names[index]: first + int(index) for index in typical}
        first += len(bank.names)
    if with_source:
        chosen["source"] = KEEP_SOURCE
    return ValidationStyles(tuple(chosen.values()), tuple(chosen))


def dice_by_style(outputs: list[dict], styles: int) -> np.ndarray:
    """Mean foreground Dice of each style over all ranks, (styles,); NaN where nothing was seen.

    Args:
        outputs: of nnU-Net's `validation_step`, the i-th of which was translated to style i modulo `styles`.
        styles: their number.
    """
    counts = np.array([[np.sum([o[key] for o in outputs[style::styles]], axis=0)
                        if outputs[style::styles] else np.zeros_like(outputs[0][key])
                        for key in ("tp_hard", "fp_hard", "fn_hard")] for style in range(styles)])  # fmt: skip
    if distributed.is_initialized():
        gathered = [None] * distributed.get_world_size()
        distributed.all_gather_object(gathered, counts)
        counts = np.sum(gathered, axis=0)
    true, false, missed = counts.astype(float).transpose(1, 0, 2)
    total = 2 * true + false + missed
    dice = np.divide(2 * true, total, out=np.full_like(total, np.nan), where=total > 0)
    seen = np.isfinite(dice).any(axis=1)
    return np.where(seen, np.nanmean(np.where(seen[:, None], dice, 0.0), axis=1), np.nan)


@dataclass(frozen=True)
class EpochDice:
    """A line of the table."""

    epoch: int
    dice: dict[str, Probability | None]  # by style; None where nothing was seen


def read_epochs(table: Path) -> list[EpochDice]:
    """The lines of a table. Raises InputError if it is none."""
    return read_json_lines(table, EpochDice, "Dice by style")


def rows_with(folder: Path, epoch: int, names: tuple[str, ...], dice: np.ndarray) -> list[EpochDice]:
    """The table with an epoch added, without later ones of an interrupted training; nothing is written."""
    path = folder / TABLE
    rows = [row for row in read_epochs(path) if row.epoch < epoch] if path.is_file() else []
    rounded = [None if np.isnan(value) else round(float(value), 4) for value in dice]
    return [*rows, EpochDice(epoch, dict(zip(names, rounded, strict=True)))]


def average_dice(rows: Sequence[EpochDice], names: Sequence[str]) -> np.ndarray:
    """Each style's Dice averaged over epochs, (styles,); an epoch counts 0.9 times the next, as in nnU-Net's average.

    Of so few batches as a style has in one epoch, the lowest Dice among many styles tells the luck of the draw.
    """
    values = np.array([[row.dice.get(name) for name in names] for row in rows], dtype=float).reshape(-1, len(names))
    weights = MEMORY ** np.arange(len(rows))[::-1, None] * np.isfinite(values)
    total = weights.sum(axis=0)
    summed = (weights * np.nan_to_num(values)).sum(axis=0)
    return np.divide(summed, total, out=np.full(len(names), np.nan), where=total > 0)


def lowest_styles(folder: Path, names: Sequence[str]) -> list[str]:
    """The styles, that with the lowest average in a training's table first; as they are named if it has no table."""
    path = folder / TABLE
    averages = average_dice(read_epochs(path) if path.is_file() else [], names)
    return [names[index] for index in np.argsort(averages, kind="stable")]


@dataclass(frozen=True)
class StyleScores:
    """What a validation epoch says of each style, after what those before it said."""

    names: tuple[str, ...]
    dice: np.ndarray  # of this epoch, (styles,)
    rows: list[EpochDice]  # of all epochs
    averages: np.ndarray  # over the epochs, (styles,)

    @classmethod
    def of(cls, outputs: list[dict], names: tuple[str, ...], folder: Path, epoch: int) -> "StyleScores":
        """The scores of an epoch's validation steps and those in the training's folder; nothing is written."""
        dice = dice_by_style(outputs, len(names))
        rows = rows_with(folder, epoch, names, dice)
        return cls(names, dice, rows, average_dice(rows, names))

    @property
    def worst(self) -> int:
        """The style with the lowest average."""
        return int(np.nanargmin(self.averages)) if np.isfinite(self.averages).any() else 0

    def __str__(self) -> str:
        """A line for the log."""
        table = ", ".join(f"{name} {value:.4f}" for name, value in zip(self.names, self.dice, strict=True))
        return f"{table}; worst on average {self.names[self.worst]} {self.averages[self.worst]:.4f}"

    def curves(self) -> dict[str, float]:
        """Values for loggers, by name."""
        curves = {f"dice/{name}": float(value) for name, value in zip(self.names, self.dice, strict=True)}
        return curves | {"worst_style_dice": float(self.averages[self.worst])}


def few_batches(iterations: int, styles: int) -> list[str]:
    """A warning if a validation epoch has fewer batches for each style than its Dice needs."""
    found = iterations // styles
    if found >= ENOUGH_BATCHES:
        return []
    return [
        f"num_val_iterations_per_epoch is {iterations}, {found} batches for each of {styles} validation styles, "
        f"expected {ENOUGH_BATCHES} for each, {ENOUGH_BATCHES * styles} in all"
    ]


def record(folder: Path, rows: list[EpochDice], names: tuple[str, ...]) -> None:
    """Write the table and plot it."""
    with written_atomically(folder / TABLE) as temporary:
        temporary.write_text("".join(f"{json.dumps(asdict(row))}\n" for row in rows))
    _plot(rows, names, folder / PLOT)


def _plot(rows: list[EpochDice], names: tuple[str, ...], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(12, 6))
    epochs = [row.epoch for row in rows]
    for name in names:
        values = [np.nan if row.dice.get(name) is None else row.dice[name] for row in rows]
        axes.plot(epochs, values, marker=".", label=name)
    axes.set(xlabel="epoch", ylabel="pseudo Dice", ylim=(0, 1), title="translated to each style's typical exemplar")
    axes.legend(loc="upper left", fontsize="small")
    with written_atomically(path) as temporary:
        figure.savefig(temporary, bbox_inches="tight")
    plt.close(figure)
