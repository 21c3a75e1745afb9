"""The loss terms of a pretraining over its steps."""

import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

from intrastyler_nnunet.files import written_atomically

NOT_TERMS = ("iteration", "skipped", "counts")

matplotlib.use("agg")


def read_rows(stats: Path) -> list[dict]:
    """The records of `stats.jsonl`; none if there is no such file."""
    lines = stats.read_text().splitlines() if stats.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("}")]  # a kill may have cut the last one short


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
