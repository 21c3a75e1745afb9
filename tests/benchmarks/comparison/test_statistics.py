"""Statistics of the comparison against formulas of the analysis of variance and SciPy."""

import numpy as np
import pytest
from comparison_rows import row
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t, ttest_rel

from benchmarks.comparison.statistics import (
    Interval,
    decided,
    failures,
    fit_mixed_model,
    half_width,
    mean_dice,
    seeds_needed,
    worst_decile,
)

scores = st.floats(0, 1, width=32)


def values(table: np.ndarray) -> dict[tuple[str, int], float]:
    """(methods, seeds) -> {(method, seed): value}."""
    return {(f"m{m}", s): float(table[m, s]) for m in range(table.shape[0]) for s in range(table.shape[1])}


def drawn(methods: int, seeds: int, of_seed: float, of_generator: float, number: int = 0) -> np.ndarray:
    rng = np.random.default_rng(number)
    effects = 0.1 * np.arange(methods)[:, None] + of_seed * rng.normal(size=seeds)
    return effects + of_generator * rng.normal(size=(methods, seeds))


def test_two_methods_are_compared_as_by_the_paired_t_test():
    table = drawn(2, 6, of_seed=0.3, of_generator=0.05)
    found = fit_mixed_model(values(table)).difference("m1", "m0")
    expected = ttest_rel(table[1], table[0]).confidence_interval(0.95)
    assert found.estimate == pytest.approx(np.mean(table[1] - table[0]))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-3)


def test_the_deviation_is_that_of_the_analysis_of_variance():
    table = drawn(5, 4, of_seed=0.2, of_generator=0.03)
    model = fit_mixed_model(values(table))
    left = table - table.mean(1, keepdims=True) - table.mean(0, keepdims=True) + table.mean()
    assert model.freedom == 4 * 3
    assert model.deviation == pytest.approx(np.sqrt((left**2).sum() / 12), rel=1e-3)
    interval = model.difference("m3", "m1")
    half = t.ppf(0.975, 12) * model.deviation * np.sqrt(2 / 4)
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=1e-3)
    assert half_width(model.deviation, 4, 5) == pytest.approx(half, rel=1e-3)


def test_intervals_hold_the_truth_nineteen_times_in_twenty():
    held = [
        interval.low <= 0.1 <= interval.high
        for number in range(150)
        for interval in [
            fit_mixed_model(values(drawn(4, 3, of_seed=0.1, of_generator=0.1, number=number))).difference("m1", "m0")
        ]
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.05)


def test_a_scale_changes_nothing_but_the_scale():
    table = drawn(4, 3, of_seed=0.0, of_generator=1.0)
    one, small = (fit_mixed_model(values(table * scale)).difference("m2", "m0") for scale in (1, 1e-4))
    assert (small.estimate, small.low, small.high) == pytest.approx(
        (one.estimate * 1e-4, one.low * 1e-4, one.high * 1e-4), rel=1e-3
    )


def test_a_missing_generator_is_no_obstacle():
    table = values(drawn(4, 3, of_seed=0.1, of_generator=0.01))
    del table["m3", 2]
    model = fit_mixed_model(table)
    assert model.freedom == 11 - 4 - 2
    assert model.difference("m3", "m0").estimate == pytest.approx(0.3, abs=0.05)


def test_one_seed_tells_no_deviation_and_equal_values_have_none():
    assert fit_mixed_model({("m0", 0): 0.1, ("m1", 0): 0.2}) is None
    assert fit_mixed_model({("m0", 0): 0.1, ("m0", 1): 0.2}) is None  # of seeds or of generators?
    same = {(m, s): value for m, value in (("m0", 0.1), ("m1", 0.4)) for s in range(3)}
    found = fit_mixed_model(same).difference("m1", "m0")
    assert (found.low, found.estimate, found.high) == pytest.approx((0.3, 0.3, 0.3))


def test_the_seeds_that_are_needed_are_the_fewest():
    needed = seeds_needed(0.03, deviation=0.06, methods=4)
    assert half_width(0.06, needed, 4) < 0.03 <= half_width(0.06, needed - 1, 4)
    # With many seeds the interval is that of the normal distribution: 2 (1.96 * 0.06 / 0.03)^2 = 30.7.
    assert needed == pytest.approx(31, abs=2)
    assert seeds_needed(-0.03, 0.06, 4) == needed
    assert seeds_needed(0.0, 0.06, 4) is None


@pytest.mark.parametrize(
    ("low", "high", "larger", "smaller"), [(0.1, 0.3, True, False), (-0.3, -0.1, False, True), (-0.1, 0.2, None, None)]
)
def test_only_an_interval_without_zero_decides(low, high, larger, smaller):
    interval = Interval((low + high) / 2, low, high)
    assert decided(interval, larger_is_better=True) is larger
    assert decided(interval, larger_is_better=False) is smaller


@given(st.lists(scores, min_size=1, max_size=50))
def test_worst_decile_is_the_mean_of_the_worst_tenth(dice):
    rows = [row("noadapt", "seen scanners", str(number), (value,)) for number, value in enumerate(dice)]
    count = -(-len(dice) // 10)
    assert worst_decile(rows) == pytest.approx(np.mean(sorted(dice)[:count]), abs=1e-6)


@given(st.lists(st.tuples(scores, scores, scores), min_size=1, max_size=20))
def test_failures_are_structures_below_a_tenth_or_missed(cases):
    rows = [row("noadapt", "seen scanners", str(number), dice) for number, dice in enumerate(cases)]
    assert failures(rows) == pytest.approx(np.mean(np.array(cases) < 0.1))


def test_a_structure_found_where_there_is_none_is_a_failure():
    found = row("noadapt", "seen scanners", "a", (0.5, 0.5, 0.5))
    found["structures"]["cochlea"]["penalised"] = True
    assert failures([found]) == pytest.approx(1 / 3)


def test_mean_dice_of_a_case():
    assert mean_dice(row("noadapt", "seen scanners", "a", (0.3, 0.6, 0.9))) == pytest.approx(0.6)
