"""What the paper leads one to expect, checked against the figures."""

from benchmarks.uda.plan import METHODS, REFERENCE
from benchmarks.uda.simulated import TEST_SETS
from benchmarks.uda.statistics import distribution, failures, mean_dice
from benchmarks.uda.tables import Segmentation, number

COMPETITORS = ("noadapt", "nodiverse", "unified", "multinets")
CEILING, MARGIN = "oracle", 0.10
SEEN, UNSEEN = TEST_SETS[0][0], TEST_SETS[2][0]


def claims(results: Segmentation) -> list[str]:
    """A line for each expectation whose figures are there: whether it came true, with the figures."""
    if REFERENCE not in results.methods:
        return []
    competitors = [key for key in COMPETITORS if key in results.methods]
    lines = []
    for test_set, name, measure in (
        (SEEN, "mean Dice", _mean), (UNSEEN, "Dice in the worst decile", _worst_decile),
        (UNSEEN, "numbers of failures", _failures),
    ):  # fmt: skip
        if test_set in results.test_sets and competitors:
            lines.append(_better_than_all(results, test_set, name, measure, competitors))
    if CEILING in results.methods and SEEN in results.test_sets:
        own, ceiling = (_mean(results.of(key, SEEN)) for key in (REFERENCE, CEILING))
        lines.append(
            f"- {_verdict(own > ceiling - MARGIN)}: on {SEEN}, IntraStyler's mean Dice ({number(own)}) is within "
            f"{MARGIN:.2f} of the Oracle's ({number(ceiling)})."
        )
    return lines


def _better_than_all(results: Segmentation, test_set: str, name: str, measure, competitors: list[str]) -> str:
    values = {key: measure(results.of(key, test_set)) for key in (REFERENCE, *competitors)}
    own = values.pop(REFERENCE)
    if measure is _failures:
        best, digits = min(values.values()), 0
        better = own < best
    else:
        best, digits = max(values.values()), 3
        better = own > best
    others = ", ".join(f"{METHODS[key].name} ({number(value, digits)})" for key, value in values.items())
    return (
        f"- {_verdict(better, own == best)}: on {test_set}, IntraStyler ({number(own, digits)}) has better {name} than "
        f"{others}."
    )


def _verdict(true: bool, tied: bool = False) -> str:
    return "Tied" if tied else "Confirmed" if true else "Refuted"


def _mean(rows: list[dict]) -> float:
    return distribution([mean_dice(row) for row in rows], larger_is_better=True).mean


def _worst_decile(rows: list[dict]) -> float:
    return distribution([mean_dice(row) for row in rows], larger_is_better=True).worst_decile


def _failures(rows: list[dict]) -> float:
    return failures(rows)
