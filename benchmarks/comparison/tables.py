"""Tables in Markdown, made from result rows."""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from benchmarks.comparison.endpoints import SEGMENTATION, Endpoint
from benchmarks.comparison.plan import METHODS, SYNTHESIZERS
from benchmarks.comparison.results import Results
from benchmarks.comparison.statistics import spread_over_seeds
from benchmarks.comparison.verdicts import Verdict, values_of

NAMES = {key: each.name for key, each in (*METHODS.items(), *SYNTHESIZERS.items())}
FLOOR_NAMES = {
    "rescan": "perfect, of the exemplar's scanner", "sub_dataset": "perfect, of a network per sub-dataset",
    "one_style": "perfect, of a single style",
}  # fmt: skip


def means(
    results: Results, endpoints: Sequence[Endpoint], names: dict[str, str], above: Sequence[list[str]] = ()
) -> str:
    """Mean over seeds and, in brackets, standard deviation of every method that has results; `above` lines first."""
    columns = [(endpoint, values_of(results, endpoint)) for endpoint in endpoints]
    columns = [(endpoint, values) for endpoint, values in columns if values]
    present = {method for _, values in columns for method, _ in values}
    lines = []
    for key in (key for key in names if key in present):
        of_method = [[value for (method, _), value in values.items() if method == key] for _, values in columns]
        seeds = max(map(len, of_method))
        lines.append([names[key], str(seeds), *map(_mean_and_spread, of_method)])
    return table(["", "seeds", *(endpoint.name for endpoint, _ in columns)], [*above, *lines])


def floors(row: dict, endpoints: Sequence[Endpoint]) -> list[list[str]]:
    """The perfect translators' lines of a table of translations."""
    return [
        [FLOOR_NAMES[name], "", *(number(endpoint.value([{"judged": judged}])) for endpoint in endpoints)]
        for name, judged in row["floors"].items()
    ]


def differences(found: Sequence[Verdict]) -> str:
    """A line for each pair of methods, a column for each endpoint: difference, 95 % interval and verdict."""
    endpoints = dict.fromkeys(verdict.claim.endpoint for verdict in found)
    pairs = dict.fromkeys((verdict.claim.method, verdict.claim.rival) for verdict in found)
    cells = {(v.claim.method, v.claim.rival, v.claim.endpoint): _difference(v) for v in found}
    lines = [
        [f"{NAMES[method]} - {NAMES[rival]}", *(cells.get((method, rival, endpoint), "") for endpoint in endpoints)]
        for method, rival in pairs
    ]
    return table(["", *(endpoint.name for endpoint in endpoints)], lines)


def _difference(verdict: Verdict) -> str:
    i = verdict.interval
    word = {True: "better", False: "worse", None: f"undecided, {needed_seeds(verdict)}"}[verdict.true]
    return f"{i.estimate:+.3f} [{i.low:+.3f}, {i.high:+.3f}] {word}"


def needed_seeds(verdict: Verdict) -> str:
    """How many seeds would decide it."""
    return "over 1000 seeds" if verdict.needed is None else f"{verdict.needed} seeds"


def cost(rows: list[dict]) -> str:
    """Minutes of a generator and of a segmenter, and hours of all; each ran beside others, on a thread of its own."""
    grouped = defaultdict(list)
    for row in rows:
        grouped[row["kind"], row["machine"], row["software"]].append(row["seconds"])
    lines = [
        [kind, str(len(seconds)), number(np.mean(seconds) / 60, 1), number(sum(seconds) / 3600, 1), *place]
        for (kind, *place), seconds in sorted(grouped.items())
    ]
    return table(["", "number", "minutes each", "hours in total", "machine", "software"], lines)


def of_table(endpoints: Sequence[Endpoint], name: str) -> list[Endpoint]:
    return [endpoint for endpoint in endpoints if endpoint.table == name]


def by_test_set(endpoints: Sequence[Endpoint]) -> dict[str, list[Endpoint]]:
    """The segmenters' endpoints."""
    sets = defaultdict(list)
    for endpoint in of_table(endpoints, SEGMENTATION):
        sets[endpoint.part].append(endpoint)
    return sets


def table(header: list[str], lines: Sequence[list[str]]) -> str:
    """A Markdown table."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))


def number(value: float, digits: int = 3) -> str:
    """A fixed number of digits; a dash for nan."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _mean_and_spread(values: list[float]) -> str:
    if not values:
        return ""
    spread = spread_over_seeds(values)
    return number(float(np.mean(values))) + ("" if math.isnan(spread) else f" ({number(spread)})")
