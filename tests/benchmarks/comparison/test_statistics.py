"""Statistics of the comparison against formulas and SciPy."""

from itertools import product

import numpy as np
import pytest
from comparison_rows import row
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, wilcoxon

from benchmarks.comparison.statistics import distribution, failures, mean_dice, paired_p

scores = st.floats(0, 1, width=32)


def test_distribution_of_known_values():
    dice = distribution([0.1 * number for number in range(11)], larger_is_better=True)
    assert (dice.mean, dice.median) == pytest.approx((0.5, 0.5))
    assert dice.worst_decile == pytest.approx((0.0 + 0.1) / 2)  # ceil(11 / 10) = 2 cases
    assd = distribution([1.0, 2.0, 3.0, 350.0], larger_is_better=False)
    assert (assd.mean, assd.median, assd.worst_decile) == (89.0, 2.5, 350.0)


@given(st.lists(scores, min_size=1, max_size=50))
def test_worst_decile_is_the_mean_of_the_worst_tenth(values):
    count = -(-len(values) // 10)
    assert distribution(values, larger_is_better=True).worst_decile == pytest.approx(
        np.mean(sorted(values)[:count]), abs=1e-6
    )
    assert distribution(values, larger_is_better=False).worst_decile == pytest.approx(
        np.mean(sorted(values, reverse=True)[:count]), abs=1e-6
    )


@given(st.lists(st.tuples(scores, scores, scores), min_size=1, max_size=20))
def test_failures_are_structures_below_a_tenth_or_missed(cases):
    rows = [row("noadapt", "seen sites", str(number), dice) for number, dice in enumerate(cases)]
    assert failures(rows) == sum(value < 0.1 for dice in cases for value in dice)


def test_a_structure_found_where_there_is_none_is_a_failure():
    found = row("noadapt", "seen sites", "a", (0.5, 0.5, 0.5))
    found["structures"]["cochlea"]["penalised"] = True
    assert failures([found]) == 1


def pair(first: np.ndarray, second: np.ndarray) -> tuple[list[dict], list[dict]]:
    rows = [row("noadapt", "seen sites", f"case_{i}", (v, v, v), seed=i % 2) for i, v in enumerate(first)]
    reference = [row("intrastyler", "seen sites", f"case_{i}", (v, v, v), seed=i % 2) for i, v in enumerate(second)]
    return rows, reference


def test_p_is_the_share_of_sign_patterns_at_least_as_extreme():
    first, second = np.random.default_rng(0).uniform(0.2, 0.9, (2, 9))
    rows, reference = pair(first, second)
    ranks = rankdata(np.abs(first - second))
    # Every assignment of signs is as likely as any other if the methods do not differ.
    statistics = [ranks @ np.array(signs) for signs in product((0, 1), repeat=9)]
    observed = ranks @ (first > second)
    tail = min(np.mean(np.array(statistics) <= observed), np.mean(np.array(statistics) >= observed))
    assert paired_p(rows, reference) == pytest.approx(min(1.0, 2 * tail))


def test_p_pairs_by_seed_and_case_whatever_the_order():
    first, second = np.random.default_rng(1).uniform(0.2, 0.9, (2, 40))
    rows, reference = pair(first, second)
    expected = wilcoxon(first, second).pvalue
    assert paired_p(rows, reference[::-1]) == pytest.approx(expected)
    unpaired = row("intrastyler", "seen sites", "case_0", (0.9, 0.9, 0.9), seed=7)
    assert paired_p(rows, [*reference, unpaired]) == pytest.approx(expected)


def test_p_of_cases_that_several_rows_have_is_of_their_means():
    first, second = np.random.default_rng(2).uniform(0.2, 0.9, (2, 2, 12))  # (seed, case)
    rows, reference = (
        [row(name, "seen sites", f"case_{i}", (v,) * 3, seed) for seed in (0, 1) for i, v in enumerate(values[seed])]
        for name, values in (("noadapt", first), ("intrastyler", second))
    )
    assert paired_p(rows, reference, ("case",)) == pytest.approx(wilcoxon(first.mean(0), second.mean(0)).pvalue)


def test_p_of_equal_and_of_unpaired_rows():
    rows, reference = pair(np.full(5, 0.5), np.full(5, 0.5))
    assert paired_p(rows, reference) == 1.0
    assert np.isnan(paired_p(rows, []))


def test_mean_dice_of_a_case():
    assert mean_dice(row("noadapt", "seen sites", "a", (0.3, 0.6, 0.9))) == pytest.approx(0.6)
