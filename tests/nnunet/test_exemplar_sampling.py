"""Exemplars are uniform and independent."""
import numpy as np
import pytest
from scipy.stats import binom, chisquare

from intrastyler_nnunet.nnunet.exemplar_sampling import KEEP_SOURCE, draw_exemplars

EXEMPLARS = 7


def draws(p_translate: float, batches: int = 5000, samples: int = 2) -> np.ndarray:
    """One batch per seed, as the trainer draws them."""
    seeds = ([0, 0, iteration // 50, iteration % 50, 0] for iteration in range(batches))
    generators = map(np.random.default_rng, seeds)
    return np.array([draw_exemplars(rng, samples, EXEMPLARS, p_translate) for rng in generators])


def test_every_exemplar_equally_often():
    counts = np.bincount(draws(1.0).ravel(), minlength=EXEMPLARS)
    assert len(counts) == EXEMPLARS
    assert chisquare(counts).pvalue > 1e-4


def test_the_samples_of_a_batch_are_independent():
    first, second = draws(1.0).T
    pairs = np.bincount(first * EXEMPLARS + second, minlength=EXEMPLARS**2)
    assert chisquare(pairs).pvalue > 1e-4


@pytest.mark.parametrize("p_translate", [0.0, 0.3, 1.0])
def test_share_of_translated_samples(p_translate):
    drawn = draws(p_translate)
    low, high = binom.interval(1 - 1e-6, drawn.size, p_translate)
    assert low <= (drawn != KEEP_SOURCE).sum() <= high


def test_translated_samples_stay_uniform():
    drawn = draws(0.3)
    counts = np.bincount(drawn[drawn != KEEP_SOURCE], minlength=EXEMPLARS)
    assert chisquare(counts).pvalue > 1e-4
