"""Tables in Markdown, made from result rows."""

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from benchmarks.comparison.own_data import TEST_SET
from benchmarks.comparison.plan import METHODS, REFERENCE, SYNTHESIZERS
from benchmarks.comparison.simulated import TEST_SETS
from benchmarks.comparison.statistics import (
    Distribution,
    correlation,
    dice_and_error,
    dice_distribution,
    distribution,
    failures,
    mean_dice,
    paired_p,
)
from benchmarks.comparison.synthesis import UNTRANSLATED

BOUNDARY = "boundary"


@dataclass(frozen=True)
class Segmentation:
    """The rows of table "segmentation", at least one."""

    rows: list[dict]

    names: ClassVar[dict[str, str]] = {key: method.name for key, method in METHODS.items()}

    @cached_property
    def methods(self) -> list[str]:
        """Keys of the methods that have rows, in the order of METHODS."""
        present = {row["method"] for row in self.rows}
        return [key for key in METHODS if key in present]

    @cached_property
    def test_sets(self) -> list[str]:
        """In the order of TEST_SETS."""
        order = [name for name, *_ in TEST_SETS] + [TEST_SET]
        return sorted({row["test_set"] for row in self.rows}, key=order.index)

    @cached_property
    def structures(self) -> list[str]:
        return list(self.rows[0]["structures"])

    @cached_property
    def has_boundary(self) -> bool:
        """Whether there is an interface between two parts of a tumour to score."""
        return self.rows[0][BOUNDARY] is not None

    def columns(self, metric: str) -> list[str]:
        """What "dice" or "assd" is given of: the structures, the latter also of the boundary."""
        return [*self.structures, *([BOUNDARY] if metric == "assd" and self.has_boundary else [])]

    @cached_property
    def seeds(self) -> list[int]:
        return sorted({row["seed"] for row in self.rows})

    def of_common_seeds(self, methods: list[str]) -> "Segmentation | None":
        """The rows of the seeds that each of these methods has; None: there is no such seed."""
        seeds = [{row["seed"] for row in self.rows if row["method"] == method} for method in methods]
        rows = [row for row in self.rows if row["seed"] in set.intersection(*seeds)]
        return Segmentation(rows) if rows else None

    def of(self, method: str, test_set: str) -> list[dict]:
        """The rows of one method on one test set."""
        return [row for row in self.rows if row["method"] == method and row["test_set"] == test_set]


def column_scores(row: dict, column: str) -> dict:
    """Of a case's row, the scores of a structure or of the boundary."""
    return row[BOUNDARY] if column == BOUNDARY else row["structures"][column]


def overview(results: Segmentation, test_set: str) -> str:
    """Mean Dice over structures: its distribution over cases, failures, the test against IntraStyler, every seed."""
    seeds = [f"seed {seed}" for seed in results.seeds]
    lines = []
    reference = results.of(REFERENCE, test_set)
    # One's own test images are the same in every seed; simulated subjects are new.
    pairing = ("case",) if test_set == TEST_SET else ("seed", "case")
    for method in results.methods:
        rows = results.of(method, test_set)
        dice = dice_distribution(rows)
        p = "" if method == REFERENCE else _probability(paired_p(rows, reference, pairing))
        of_seeds = [[mean_dice(row) for row in rows if row["seed"] == seed] for seed in results.seeds]
        lines.append([
            results.names[method], *map(number, (dice.mean, dice.median, dice.worst_decile)),
            f"{failures(rows)} of {len(rows) * len(results.structures)}", p,
            *(number(sum(values) / len(values)) if values else "" for values in of_seeds),
        ])  # fmt: skip
    return table(["", "mean Dice", "median", "worst decile", "failures", "p", *seeds], lines)


def _probability(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else number(value, 4)


def by_structure(results: Segmentation, test_set: str, metric: str) -> str:
    """Mean / median / worst decile of Dice or ASSD of every structure, ASSD also of the boundary."""
    columns = results.columns(metric)
    lines = []
    for method in results.methods:
        rows = results.of(method, test_set)
        cells = [_cell([column_scores(row, name) for row in rows], metric) for name in columns]
        lines.append([results.names[method], *cells])
    unit = "Dice" if metric == "dice" else "ASSD (mm)"
    return table(["", *(f"{name.replace('_', '-')} {unit}" for name in columns)], lines)


def _cell(scores: list[dict], metric: str) -> str:
    d: Distribution = distribution([score[metric] for score in scores], larger_is_better=metric == "dice")
    digits = 3 if metric == "dice" else 2
    missed = sum(score["penalised"] for score in scores) if metric == "assd" else 0
    cell = " / ".join(number(value, digits) for value in (d.mean, d.median, d.worst_decile))
    return f"{cell} ({missed})" if missed else cell


SYNTHESIS_COLUMNS = {
    "error": "error", "structure_error": "error in tumour and cochleae", "orders_right": "tissue orders right",
    "style_control": "style control (r)",
}  # fmt: skip


def synthesis(rows: list[dict]) -> str:
    """Means over seeds of each synthesizer's measures (`synthesis.judged`)."""
    names = {UNTRANSLATED: "source, not translated"} | {key: each.name for key, each in SYNTHESIZERS.items()}
    lines = []
    for key, name in names.items():
        own = [row for row in rows if row["synthesizer"] == key]
        if own:
            lines.append([name, *(number(sum(r[c] for r in own) / len(own)) for c in SYNTHESIS_COLUMNS)])
    return table(["", *SYNTHESIS_COLUMNS.values()], lines)


def does_dice_follow_the_error(results: Segmentation, rows: list[dict]) -> list[str]:
    """A sentence on generators and their segmenters, of at least three of them."""
    test_set = results.test_sets[0]
    pairs = dice_and_error(results.rows, rows, test_set)
    if len(pairs) < 3:
        return []
    r, p = correlation(pairs)
    return [
        f"Over {len(pairs)} methods and seeds, Pearson's r between the error in tumour and cochleae and the mean Dice "
        f"of the segmenter on {test_set} is {number(r, 2)} (p {_probability(p)})."
    ]


def cost(rows: list[dict]) -> str:
    """Networks, steps and minutes of each synthesizer, means over seeds."""
    lines = []
    for key, synthesizer in SYNTHESIZERS.items():
        own = [row for row in rows if row["synthesizer"] == key]
        if own:
            minutes = sum(row["seconds"] for row in own) / len(own) / 60
            first = own[0]
            lines.append([
                synthesizer.name, str(first["networks"]), str(first["steps"]), str(first["style_warmup"]),
                number(minutes, 1),
            ])  # fmt: skip
    return table(["", "networks", "steps of all", "style warm-up", "minutes"], lines)


def runs(rows: list[dict]) -> str:
    """Wall time of the methods of every seed on every machine."""
    hours, methods = defaultdict(float), defaultdict(list)
    for row in rows:
        place = row["seed"], row["machine"], row["software"]
        hours[place] += row["seconds"] / 3600
        methods[place] += row["methods"]
    lines = [[str(place[0]), _names(methods[place]), number(hours[place], 1), *place[1:]] for place in sorted(hours)]
    return table(["seed", "methods", "wall time (h)", "machine", "software"], lines)


def _names(methods: list[str]) -> str:
    return "all" if set(methods) == set(METHODS) else ", ".join(METHODS[key].name for key in METHODS if key in methods)


def table(header: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))


def number(value: float, digits: int = 3) -> str:
    """A fixed number of digits; a dash for nan."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
