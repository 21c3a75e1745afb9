"""What the results decide, and what they do not."""

from dataclasses import dataclass

import numpy as np

from benchmarks.comparison.endpoints import Claim, Endpoint, claims_of
from benchmarks.comparison.results import Results
from benchmarks.comparison.statistics import Interval, MixedModel, decided, fit_mixed_model, seeds_needed


@dataclass(frozen=True)
class Verdict:
    """On a claim, from the mixed model of its endpoint."""

    claim: Claim
    interval: Interval  # of the method's value minus the rival's
    true: bool | None  # None: the interval does not exclude that the two are alike
    needed: int | None  # seeds that would decide it, if the difference stayed as it is; None: more than anyone has

    @property
    def word(self) -> str:
        return {True: "confirmed", False: "refuted", None: "undecided"}[self.true]


def values_of(results: Results, endpoint: Endpoint) -> dict[tuple[str, int], float]:
    """The endpoint of every method and seed that has rows; {} where the data do not have it."""
    rows: dict[tuple[str, int], list[dict]] = {}
    for row in filter(endpoint.is_of, results.rows(endpoint.table)):
        rows.setdefault((row["method"], row["seed"]), []).append(row)
    values = {key: endpoint.value(own) for key, own in rows.items()}
    return {key: value for key, value in values.items() if np.isfinite(value)}


def verdicts(results: Results, endpoints: list[Endpoint]) -> list[Verdict]:
    """On every claim whose method, rival and deviation over seeds are known."""
    models: dict[Endpoint, MixedModel | None] = {e: fit_mixed_model(values_of(results, e)) for e in endpoints}
    found = []
    for claim in claims_of(endpoints):
        model = models[claim.endpoint]
        if model is not None and {claim.method, claim.rival} <= set(model.methods):
            interval = model.difference(claim.method, claim.rival)
            needed = seeds_needed(interval.estimate, model.deviation, len(model.methods))
            found.append(Verdict(claim, interval, decided(interval, claim.endpoint.larger_is_better), needed))
    return found
