"""Statistics over generators. Cases of one network are not independent, so no test counts them.

Every endpoint gives one number for each method and seed. The mixed model is

    value = method + seed + generator,

with a fixed effect of the method, a random one of the seed (whose training data all methods share) and a residual,
which is the generator's (and its segmenter's): what another training of the same method on the same data may change.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from scipy.stats import t

FAILURE_DICE = 0.1  # a structure below it, or missed, is a failure
LEVEL = 0.95
MOST_SEEDS = 1000  # beyond it nobody goes on


def mean_dice(row: dict) -> float:
    """Mean Dice of a case over its structures."""
    return float(np.mean([scores["dice"] for scores in row["structures"].values()]))


def worst_decile(rows: list[dict]) -> float:
    """Mean of the worst ceil(N / 10) mean Dice of N cases."""
    ordered = np.sort([mean_dice(row) for row in rows])
    return float(ordered[: math.ceil(len(ordered) / 10)].mean())


def failures(rows: list[dict]) -> float:
    """Share of the structures, over all cases, with Dice below 0.1, missed, or found where there is none."""
    scores = [scores for row in rows for scores in row["structures"].values()]
    return float(np.mean([each["dice"] < FAILURE_DICE or each["penalised"] for each in scores]))


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class MixedModel:
    """Fitted to one endpoint."""

    methods: tuple[str, ...]
    means: np.ndarray  # (M,)
    covariance: np.ndarray  # (M, M) of the means
    deviation: float  # of generators of one method about their seed's level
    freedom: int  # degrees of freedom of the deviation

    def difference(self, method: str, rival: str) -> Interval:
        """Mean of `method` minus that of `rival`."""
        contrast = np.array([float(name == method) - float(name == rival) for name in self.methods])
        estimate = float(contrast @ self.means)
        half = float(t.ppf((1 + LEVEL) / 2, self.freedom) * np.sqrt(contrast @ self.covariance @ contrast))
        return Interval(estimate, estimate - half, estimate + half)


def fit_mixed_model(values: Mapping[tuple[str, int], float]) -> MixedModel | None:
    """Fit one endpoint's values by method and seed; None: too few of them, or no second seed, to tell a deviation.

    By restricted maximum likelihood (statsmodels' MixedLM), on values scaled to a standard deviation of 1.
    """
    methods = tuple(dict.fromkeys(method for method, _ in values))
    seeds = np.array([seed for _, seed in values])
    freedom = len(values) - len(methods) - (len(set(seeds)) - 1)
    if len(set(seeds)) < 2 or freedom < 1:
        return None
    outcomes = np.array(list(values.values()))
    design = np.array([[float(name == method) for name in methods] for method, _ in values])
    means = np.linalg.lstsq(design, outcomes, rcond=None)[0]
    spread = float((outcomes - design @ means).std())
    if spread <= 1e-12 * np.abs(outcomes).max():  # all seeds of every method agree
        return MixedModel(methods, means, np.zeros((len(methods),) * 2), 0.0, freedom)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that seeds may make no difference is no fault
        fitted = sm.MixedLM(outcomes / spread, design, groups=seeds).fit(reml=True)
    covariance = np.asarray(fitted.cov_params())[: len(methods), : len(methods)] * spread**2
    deviation = float(np.sqrt(fitted.scale)) * spread
    return MixedModel(methods, np.asarray(fitted.fe_params) * spread, covariance, deviation, freedom)


def half_width(deviation: float, seeds: int, methods: int) -> float:
    """Of the interval of a difference between two of `methods`, all with as many seeds: what they can separate."""
    return float(t.ppf((1 + LEVEL) / 2, (seeds - 1) * (methods - 1)) * deviation * math.sqrt(2 / seeds))


def seeds_needed(difference: float, deviation: float, methods: int) -> int | None:
    """The fewest seeds whose interval would exclude 0, if the difference stayed as it is; None: more than 1000."""
    enough = (seeds for seeds in range(2, MOST_SEEDS + 1) if half_width(deviation, seeds, methods) < abs(difference))
    return next(enough, None)


def decided(interval: Interval, larger_is_better: bool) -> bool | None:
    """Whether the first of the two is the better one; None: the interval does not exclude that they are alike."""
    if interval.low <= 0 <= interval.high:
        return None
    return (interval.low > 0) == larger_is_better


def spread_over_seeds(values: Sequence[float]) -> float:
    """Standard deviation; nan of a single one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
