"""The loss terms of a pretraining over its steps."""

import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

from intrastyler_nnunet.files import written_atomically

NOT_TERMS = ("iteration", "skipped", "counts")

matplotlib.use("agg")


def plot_losses(stats: Path, path: Path) -> None:
    """One small plot per term of `stats.jsonl`, all over the same steps; nothing if no step is recorded yet."""
    rows = [json.loads(line) for line in stats.read_text().splitlines()] if stats.is_file() else []
    names = list(dict.fromkeys(name for row in rows for name in row if name not in NOT_TERMS))
    if not names:
        return
    figure, plots = plt.subplots(len(names), sharex=True, figsize=(9, 1.8 * len(names)), squeeze=False)
    for name, axes in zip(names, plots[:, 0], strict=True):
        known = [row for row in rows if name in row]  # the style encoder's warm-up has one term only
        axes.plot([row["iteration"] for row in known], [row[name] for row in known], linewidth=0.8)
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
    plots[-1, 0].set_xlabel("step")
    with written_atomically(path) as temporary:
        figure.savefig(temporary, bbox_inches="tight")
    plt.close(figure)
