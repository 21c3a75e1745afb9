"""What the rows of `benchmarks.comparison.adaptation` say: gains, what is forgotten, and how good choices are."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.comparison.results import Results
from benchmarks.comparison.statistics import failures, mean_dice

SEEN = "seen sites"
CLOSE = 0.02  # Dice below the best that a good choice may be

matplotlib.use("agg")


def summary(results: Results) -> dict:
    """Measures by scanner, and choices by scanner and seed; Dice are means over structures, cases and seeds."""
    rows = results.rows("scores")
    scanners = sorted({row["scanner"] for row in rows} - {"none"}, reverse=True)
    return {
        "models": [line for scanner in scanners for line in _models(rows, scanner)],
        "choices": [line for scanner in scanners for line in _choices(results.rows("choice"), rows, scanner)],
    }


def _models(rows: list[dict], scanner: str) -> list[dict]:
    before = _of(rows, "before", "none", 0)
    kinds = sorted({(row["kind"], row["images"]) for row in rows if row["scanner"] == scanner})
    lines = [_measures(before, before, scanner) | {"scanner": scanner, "kind": "before", "images": 0}]
    for kind, images in kinds:
        own = _of(rows, kind, scanner, images)
        lines.append(_measures(own, before, scanner) | {"scanner": scanner, "kind": kind, "images": images})
    scratch = [line for line in lines if line["kind"] == "scratch"]
    for line in lines if scratch else ():
        gap = scratch[0]["dice"] - lines[0]["dice"]
        line["gap_closed"] = round((line["dice"] - lines[0]["dice"]) / gap, 3) if gap > 0 else None
        line["of_scratch_time"] = round(line["minutes"] / scratch[0]["minutes"], 3) if scratch[0]["minutes"] else None
    return lines


def _measures(rows: list[dict], before: list[dict], scanner: str) -> dict:
    new, old, old_before = (_in(part, test_set) for part, test_set in ((rows, scanner), (rows, SEEN), (before, SEEN)))
    return {
        "dice": _mean(new), "failures": round(failures(new), 4),
        "dice_seen": _mean(old), "change_seen": round(_mean(old) - _mean(old_before), 4),
        "minutes": round(float(np.mean([row["seconds"] for row in rows])) / 60, 2),
    }  # fmt: skip


def _choices(choices: list[dict], rows: list[dict], scanner: str) -> list[dict]:
    lines = []
    for seed in sorted({row["seed"] for row in choices}):
        for by in ("signs", "labels"):
            ranking = [row for row in choices if (row["seed"], row["scanner"], row["by"]) == (seed, scanner, by)]
            if not ranking:
                continue
            own = [row for row in rows if row["seed"] == seed]
            dice = {row["key"]: _true_dice(own, row["key"], scanner) for row in ranking}
            picks = {"by": ranking[0]["key"]}
            for sign in ("agreement", "stability", "plausibility", "coverage") if by == "signs" else ():
                if sign in ranking[0]:
                    picks[sign] = max(ranking, key=lambda row: row[sign])["key"]
            lost = {name: round(max(dice.values()) - dice[key], 4) for name, key in picks.items()}
            lines.append({
                "scanner": scanner, "seed": seed, "by": by, "picked": picks["by"], "lost": lost["by"],
                "close": lost["by"] <= CLOSE, "first": ranking[0]["first"], "lost_by_sign": lost, "dice": dice,
                "scores": {row["key"]: [row["score"], row["low"], row["high"]] for row in ranking},
            })  # fmt: skip
    return lines


def _true_dice(rows: list[dict], key: str, scanner: str) -> float:
    """Of a candidate: "before", "best checkpoint", or the scanner and number of images that it was adapted to."""
    kind, other, images = key, "none", 0
    if "-" in key:
        kind, (other, count) = "adapted", key.split("-")
        images = int(count)
    return _mean(_in(_of(rows, kind, other, images), scanner))


def _of(rows: list[dict], kind: str, scanner: str, images: int) -> list[dict]:
    return [row for row in rows if (row["kind"], row["scanner"], row["images"]) == (kind, scanner, images)]


def _in(rows: list[dict], test_set: str) -> list[dict]:
    return [row for row in rows if row["test_set"] == test_set]


def _mean(rows: list[dict]) -> float:
    return round(float(np.mean([mean_dice(row) for row in rows])), 4)


def lines_of(found: dict) -> list[str]:
    """The summary for people."""
    header = ("scanner", "model", "images", "Dice", "failures", "seen", "change", "min", "gap closed")
    lines = ["{:14} {:10} {:>6} {:>6} {:>11} {:>6} {:>7} {:>6} {:>10}".format(*header)]
    lines += [
        f"{row['scanner']:14} {row['kind']:10} {row['images']:6} {row['dice']:6.3f} "
        f"{row['failures']:11.0%} {row['dice_seen']:6.3f} {row['change_seen']:+7.3f} "
        f"{row['minutes']:6.1f} {_percent(row.get('gap_closed')):>10}"
        for row in found["models"]
    ]
    for row in found["choices"]:
        lines.append(
            f"{row['scanner']}, seed {row['seed']}, by {row['by']}: {row['picked']}, {row['lost']:.3f} below the best"
        )
    return [*lines, *_verdicts(found["choices"])]


def draw_choices(found: dict, path: Path) -> None:
    """Score of the signs, with its interval, against Dice; where points do not rise, do not trust it."""
    scanners = list(dict.fromkeys(row["scanner"] for row in found["choices"]))
    figure, axes = plt.subplots(1, len(scanners), figsize=(5 * len(scanners), 4), squeeze=False)
    for place, scanner in zip(axes[0], scanners, strict=True):
        for row in found["choices"]:
            if (row["scanner"], row["by"]) == (scanner, "signs"):
                keys = list(row["dice"])
                middle, low, high = np.array([row["scores"][key] for key in keys]).T
                dice = [row["dice"][key] for key in keys]
                place.errorbar(dice, middle, (middle - low, high - middle), fmt="o", ms=4, label=f"seed {row['seed']}")
        place.set(xlabel="Dice (which nobody knows)", ylabel="score without labels", title=scanner)
        place.legend(fontsize="small")
    figure.savefig(path, bbox_inches="tight", dpi=110)
    plt.close(figure)


def _verdicts(choices: Sequence[dict]) -> list[str]:
    return [
        f"within {CLOSE} Dice of the best by {by}: {sum(row['close'] for row in own)} of {len(own)}"
        for by in ("signs", "labels")
        if (own := [row for row in choices if row["by"] == by])
    ]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
