"""What a training writes about itself: `stats.jsonl`, with one line per record, the plot of it, and curves."""

import json
from pathlib import Path
from typing import Annotated

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from pydantic import AllowInfNan

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import named_errors, written_atomically
from intrastyler_nnunet.pretraining.state import TrainingState
from intrastyler_nnunet.typed_json import Check, read_json_lines

NOT_TERMS = ("iteration", "skipped", "counts")

matplotlib.use("agg")


VALIDATION = "validation_"  # begins the names of what was measured on held-out cases


def _complete(row: dict) -> dict:
    if not isinstance(row.get("iteration"), int) or (row.get("counts") and f"{VALIDATION}score" not in row):
        raise InputError("expected its iteration, and the score of a validation that counts")
    return row


# A loss of a step that was skipped may be infinite.
Row = Annotated[dict[str, bool | int | Annotated[float, AllowInfNan()]], Check(_complete)]


def read_rows(stats: Path) -> list[Row]:
    """The records of `stats.jsonl`; none if there is no such file. Raises InputError if it holds anything else."""
    return read_json_lines(stats, Row, "statistics of a pretraining") if stats.is_file() else []


def loss_terms(stats: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values of each term of `stats.jsonl`; a style encoder's warm-up has one term only."""
    rows = read_rows(stats)
    names = dict.fromkeys(name for row in rows for name in row if name not in NOT_TERMS)
    return {name: tuple(zip(*((r["iteration"], r[name]) for r in rows if name in r), strict=True)) for name in names}


def plot_losses(stats: Path, path: Path) -> None:
    """One small plot per term of `stats.jsonl`, all over the same steps; nothing if no step is recorded yet."""
    terms = loss_terms(stats)
    if not terms:
        return
    figure, plots = plt.subplots(
        len(terms), sharex=True, figsize=(9, 1.8 * len(terms)), squeeze=False, layout="constrained"
    )
    for (name, curve), axes in zip(terms.items(), plots[:, 0], strict=True):
        axes.plot(*curve, linewidth=0.8)
        axes.set_title(name.replace("_", " "), loc="left", fontsize=10)
        axes.grid(alpha=0.3)
    plots[-1, 0].set_xlabel("step")
    with written_atomically(path) as temporary:
        figure.savefig(temporary, bbox_inches="tight")
    plt.close(figure)


class Record:
    """`stats.jsonl` in the run's folder; steps after `iteration`, which will be done again, are forgotten."""

    def __init__(self, folder: Path, iteration: int, tensorboard: bool = False):
        """
        Args:
            folder: the run's.
            iteration: that the run goes on from.
            tensorboard: also write all numbers and panels to `tensorboard` in the folder, for TensorBoard, which W&B
                reads, too (`wandb sync`).

        Raises:
            InputError: TensorBoard is asked for and not installed.
        """
        self.path = folder / "stats.jsonl"
        self.events = _event_writer(folder / "tensorboard", iteration) if tensorboard else None
        if self.path.is_file():
            kept = [row for row in read_rows(self.path) if row["iteration"] <= iteration]
            with written_atomically(self.path) as temporary:
                temporary.write_text("".join(f"{json.dumps(row)}\n" for row in kept))

    def terms(self, state: TrainingState, terms: dict[str, torch.Tensor]) -> dict[str, float]:
        """Add the loss terms of the step that was just done; returns them rounded."""
        values = {name: round(float(term), 4) for name, term in terms.items()}
        self._add({"iteration": state.iteration, **values, "skipped": state.skipped})
        return values

    def is_best(self, score: float) -> bool:
        """Whether `score` is above all before that count for `generator_best`."""
        known = [row[f"{VALIDATION}score"] for row in read_rows(self.path) if row.get("counts")]
        return round(score, 4) > max(known, default=float("-inf"))

    def validation(self, iteration: int, means: dict[str, float], counts: bool) -> None:
        """Add what `validate` measured; `counts` for `generator_best` or not."""
        values = {f"{VALIDATION}{name}": round(value, 4) for name, value in means.items()}
        self._add({"iteration": iteration, **values, "counts": counts})

    def panel(self, iteration: int, path: Path) -> None:
        """A panel that was drawn, for TensorBoard."""
        if self.events is not None:
            with Image.open(path) as image:
                self.events.add_image("panel", np.asarray(image.convert("RGB")), iteration, dataformats="HWC")

    def plot(self) -> None:
        """Draw `losses.png` beside the statistics."""
        plot_losses(self.path, self.path.with_name("losses.png"))

    def _add(self, row: dict) -> None:
        with named_errors(self.path), self.path.open("a") as stats:
            stats.write(json.dumps(row) + "\n")
        if self.events is not None:
            for name in row.keys() - {"iteration"}:
                self.events.add_scalar(name, float(row[name]), row["iteration"])
            self.events.flush()


def _event_writer(folder: Path, iteration: int):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError("--tensorboard: TensorBoard is not installed, expected `pip install tensorboard`") from None
    return SummaryWriter(str(folder), purge_step=iteration + 1)  # what comes after it will be done again
