"""Signs against medpy, intervals against SciPy, and rankings that are known beforehand."""

import numpy as np
import pytest
import scipy.stats
from medpy.metric.binary import dc

from intrastyler_nnunet.adaptation import signs
from intrastyler_nnunet.adaptation.choice import Signs, ranked
from intrastyler_nnunet.structures import Structures

SHAPE = (6, 10, 12)


def label_maps(count: int, values: int = 3, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, values, SHAPE).astype(np.uint8) for _ in range(count)]


def test_pairwise_dice_is_the_mean_of_medpys():
    maps = label_maps(3)
    table = signs.pairwise_dice(maps, [1, 2, 7])  # no model finds 7
    assert np.allclose(np.diag(table), 1)
    for i in range(3):
        for j in range(3):
            expected = np.mean([dc(maps[i] == value, maps[j] == value) for value in (1, 2)])
            assert np.isclose(table[i, j], expected)
    others = [np.mean([table[i, j] for j in range(3) if j != i]) for i in range(3)]
    assert np.allclose(signs.agreement(table), others)
    assert np.isclose(signs.disagreement(table), 1 - np.mean(others))


def test_a_region_is_made_of_its_labels():
    first, second = label_maps(2)
    assert np.isclose(signs.mean_dice(first, second, [(1, 2)]), dc(first > 0, second > 0))


def test_to_find_nothing_is_no_agreement():
    empty, found = np.zeros(SHAPE, np.uint8), label_maps(1)[0]
    table = signs.pairwise_dice([empty, empty.copy(), found], [1, 2])
    assert table[0, 1] == 0
    assert np.isnan(signs.agreement(signs.pairwise_dice([empty, empty.copy()], [1, 2]))).all()


def test_stability_is_the_dice_with_the_jittered_images():
    maps, jittered = label_maps(2), [label_maps(2, seed=1), label_maps(2, seed=2)]
    found = signs.stability(maps, jittered, [1, 2])
    for model in range(2):
        expected = [dc(maps[model] == value, other == value) for other in jittered[model] for value in (1, 2)]
        assert np.isclose(found[model], np.mean(expected))


def test_plausible_is_one_tumour_and_two_cochleae():
    whole = np.zeros(SHAPE, np.uint8)
    whole[2:4, 4, 4], whole[2, 1, 1], whole[2, 8, 10] = 1, 3, 3
    one_cochlea = np.where(np.arange(SHAPE[2]) > 8, 0, whole).astype(np.uint8)
    two_tumours = whole.copy()
    two_tumours[2, 8, 1] = 1
    assert signs.plausibility([whole, one_cochlea, two_tumours], Structures({"tumour": 1}, 3)).tolist() == [1, 0, 0]


def test_signs_that_are_not_known_of_all_models_do_not_count():
    known, partly = np.array([[0.2, 0.4], [0.6, 1.0]]), np.array([[np.nan, np.nan], [1.0, 1.0]])
    found = Signs(known, 1 - known, np.full((2, 2), np.nan), partly)
    assert list(found.counted()) == ["agreement", "stability"]
    assert np.allclose(found.scores(), 0.5)


def test_the_interval_is_scipys_and_the_order_that_of_the_means():
    scores = np.random.default_rng(3).uniform(size=(4, 30)) + np.array([0.0, 0.3, 0.1, 0.6])[:, None]
    standings = ranked(scores)
    assert [standing.model for standing in standings] == np.argsort(-scores.mean(axis=1)).tolist()
    assert standings[0].first > 0.99
    assert np.isclose(sum(standing.first for standing in standings), 1)
    for standing in standings:
        row = scores[standing.model]
        expected = scipy.stats.bootstrap((row,), np.mean, method="percentile", n_resamples=20_000, rng=0)
        assert np.isclose(standing.score, row.mean())
        assert np.allclose((standing.low, standing.high), expected.confidence_interval, atol=0.01)


def test_models_that_cannot_be_told_apart_share_the_first_place():
    rng = np.random.default_rng(0)
    standings = ranked(rng.uniform(size=(2, 400)))
    assert 0.02 < standings[1].first < 0.5
    assert ranked(np.array([[0.5], [0.4]]))[0].first == 1


@pytest.mark.parametrize("case", [0, 1])
def test_a_case_that_tells_nothing_is_left_out(case):
    scores = np.array([[0.8, 0.8], [0.2, 0.2]])
    scores[:, case] = np.nan
    assert [standing.score for standing in ranked(scores)] == [0.8, 0.2]
