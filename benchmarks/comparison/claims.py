"""What the paper leads one to expect, checked against the figures."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.comparison.plan import METHODS, REFERENCE
from benchmarks.comparison.simulated import TEST_SETS
from benchmarks.comparison.statistics import dice_distribution, failures
from benchmarks.comparison.tables import Segmentation, number

COMPETITORS = ("noadapt", "nodiverse", "unified", "multinets")
CEILING, MARGIN = "oracle", 0.10
SEEN, UNSEEN = TEST_SETS[0][0], TEST_SETS[1][0]


@dataclass(frozen=True)
class Measure:
    """A figure of a method's rows on one test set."""

    name: str
    value: Callable[[list[dict]], float]
    digits: int  # in the text
    best: Callable[[Iterable[float]], float]  # max or min


def _mean(rows: list[dict]) -> float:
    return dice_distribution(rows).mean


def _worst_decile(rows: list[dict]) -> float:
    return dice_distribution(rows).worst_decile


EXPECTED = (
    (SEEN, Measure("mean Dice", _mean, 3, max)),
    (UNSEEN, Measure("Dice in the worst decile", _worst_decile, 3, max)),
    (UNSEEN, Measure("numbers of failures", failures, 0, min)),
)


def claims(results: Segmentation) -> list[str]:
    """A line for each expectation whose figures are there: whether it came true, with the figures.

    Methods are compared on the seeds that all of them have.
    """
    if REFERENCE not in results.methods:
        return []
    competitors = [key for key in COMPETITORS if key in results.methods]
    results = results.of_common_seeds([key for key in (REFERENCE, *COMPETITORS, CEILING) if key in results.methods])
    if results is None:
        return []
    lines = [
        _better_than_all(results, test_set, measure, competitors)
        for test_set, measure in EXPECTED
        if competitors and test_set in results.test_sets
    ]
    if CEILING in results.methods and SEEN in results.test_sets:
        own, ceiling = (_mean(results.of(key, SEEN)) for key in (REFERENCE, CEILING))
        lines.append(
            f"- {_verdict(own > ceiling - MARGIN)}: on {SEEN}, IntraStyler's mean Dice ({number(own)}) is within "
            f"{MARGIN:.2f} of the Oracle's ({number(ceiling)})."
        )
    return lines


def _better_than_all(results: Segmentation, test_set: str, measure: Measure, competitors: list[str]) -> str:
    values = {key: measure.value(results.of(key, test_set)) for key in (REFERENCE, *competitors)}
    own = values.pop(REFERENCE)
    rival = measure.best(values.values())
    verdict = _verdict(measure.best((own, rival)) == own, own == rival)
    others = ", ".join(f"{METHODS[key].name} ({number(value, measure.digits)})" for key, value in values.items())
    return (
        f"- {verdict}: on {test_set}, IntraStyler ({number(own, measure.digits)}) has better "
        f"{measure.name} than {others}."
    )


def _verdict(true: bool, tied: bool = False) -> str:
    return "Tied" if tied else "Confirmed" if true else "Refuted"
