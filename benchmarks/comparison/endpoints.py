"""The endpoints and the comparisons, stated before the run: they are written into the results before any training."""

from dataclasses import dataclass

import numpy as np

from benchmarks.comparison.own_data import TEST_SET
from benchmarks.comparison.plan import METHODS, PLAIN, REFERENCE, SYNTHESIZERS
from benchmarks.comparison.simulated import TEST_SETS
from benchmarks.comparison.statistics import failures, mean_dice, worst_decile

TRANSLATIONS, SEGMENTATION = "translations", "segmentation"  # tables of the results
SEEN = TEST_SETS[0][0]


@dataclass(frozen=True)
class Endpoint:
    """One number of each generator, or of the segmenter that was trained with it."""

    table: str
    measure: str  # key of MEASURES
    part: str  # sub-dataset or "all" of the exemplars; test set of the segmenter
    larger_is_better: bool
    primary: bool = False

    @property
    def name(self) -> str:
        """For tables."""
        if self.table == TRANSLATIONS:
            site = self.part.removeprefix("target_")
            return self.measure if site == "all" else f"{self.measure} on sub-dataset {site}"
        return f"{self.measure}, {self.part}"

    def is_of(self, row: dict) -> bool:
        """Whether a row of the table has something to say about it."""
        return self.part in row["judged"] if self.table == TRANSLATIONS else row["test_set"] == self.part

    def value(self, rows: list[dict]) -> float:
        """Of the rows of one method and seed that are of it, at least one."""
        return MEASURES[self.measure](rows[0]["judged"][self.part] if self.table == TRANSLATIONS else rows)


@dataclass(frozen=True)
class Claim:
    """That a method is better than a rival in an endpoint."""

    method: str
    rival: str
    endpoint: Endpoint


def _mean(values: dict[str, float]) -> float:
    return float(np.mean(list(values.values())))


def _boundary(rows: list[dict]) -> float:
    return float(np.mean([row["boundary"]["assd"] for row in rows])) if rows[0]["boundary"] else float("nan")


def _intra_meatal(rows: list[dict]) -> float:
    found = [row["structures"]["intra_meatal"]["dice"] for row in rows if "intra_meatal" in row["structures"]]
    return float(np.mean(found)) if found else float("nan")


MEASURES = {
    # of what the judge says about a sub-dataset (`benchmarks.quality.judge`)
    "style control within scanners": lambda part: _mean(part["within_r"]),
    "slope within scanners": lambda part: _mean(part["slope"]),
    "error": lambda part: part["error"],
    "error in tumour and cochleae": lambda part: part["error_structures"],
    "orders right": lambda part: part["orders_right"],
    # of the rows of a test set (`scores`); nan without both parts of the tumour
    "Dice": lambda rows: float(np.mean([mean_dice(row) for row in rows])),
    "failures": failures,
    "worst decile of Dice": worst_decile,
    "intra-meatal Dice": _intra_meatal,
    "boundary ASSD (mm)": _boundary,
}
SMALLER_IS_BETTER = ("error", "error in tumour and cochleae", "failures", "boundary ASSD (mm)")
PRIMARY = (("style control within scanners", "all"), ("error", "target_m"))
OF_TRANSLATIONS = (*PRIMARY, *((measure, "all") for measure in list(MEASURES)[1:5]))
OF_SEGMENTERS = tuple(MEASURES)[5:]


def endpoints_of(own_data: bool) -> list[Endpoint]:
    """Of simulated data those of translations first, the primary ones among them.

    There is no truth to judge translations of one's own data by; there, Dice is primary.
    """
    test_sets = [TEST_SET] if own_data else [name for name, *_ in TEST_SETS]
    primary = (("Dice", TEST_SET),) if own_data else PRIMARY
    named = [(SEGMENTATION, measure, test_set) for test_set in test_sets for measure in OF_SEGMENTERS]
    if not own_data:
        named = [(TRANSLATIONS, *pair) for pair in OF_TRANSLATIONS] + named
    return [
        Endpoint(table, measure, part, measure not in SMALLER_IS_BETTER, (measure, part) in primary)
        for table, measure, part in named
    ]


def rivalries() -> list[tuple[str, str]]:
    """Who is compared with whom: IntraStyler with every competitor, with and without restyling; then its variants."""
    competitors = [key for key, each in SYNTHESIZERS.items() if each.restyling and key != REFERENCE]
    return [
        *((REFERENCE, rival) for rival in competitors),
        *((REFERENCE + PLAIN, rival + PLAIN) for rival in competitors),
        (REFERENCE, REFERENCE + PLAIN),
        *((REFERENCE, rival) for rival in METHODS if METHODS[rival].synthesizer is None and rival != "oracle"),
        *((variant, REFERENCE) for variant in ("slerp", "balanced")),
        (REFERENCE, "offline"),
    ]


def claims_of(endpoints: list[Endpoint]) -> list[Claim]:
    """All that is decided or not: every rivalry in every endpoint that both have."""
    return [
        Claim(method, rival, endpoint)
        for endpoint in endpoints
        for method, rival in rivalries()
        if endpoint.table == SEGMENTATION or {method, rival} <= SYNTHESIZERS.keys()
    ]
