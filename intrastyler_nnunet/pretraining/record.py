"""What a training writes about itself: `stats.jsonl`, with one line per record, and the plot of it."""

import json
from pathlib import Path

import torch

from intrastyler_nnunet.files import named_errors, written_atomically
from intrastyler_nnunet.pretraining.state import TrainingState
from intrastyler_nnunet.synthesis.loss_plot import plot_losses, read_rows

VALIDATION = "validation_"  # begins the names of what was measured on held-out cases


class Record:
    """`stats.jsonl` in the run's folder; steps after `iteration`, which will be done again, are forgotten."""

    def __init__(self, folder: Path, iteration: int):
        self.path = folder / "stats.jsonl"
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

    def plot(self) -> None:
        """Draw `losses.png` beside the statistics."""
        plot_losses(self.path, self.path.with_name("losses.png"))

    def _add(self, row: dict) -> None:
        with named_errors(self.path), self.path.open("a") as stats:
            stats.write(json.dumps(row) + "\n")
