"""How often styles are drawn, and what a drawn style is."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fake_cuda import fake_cuda
from scipy.stats import binom, chisquare

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.sampling import (
    KEEP_SOURCE,
    StyleDraw,
    draw_styles,
    exemplar_probabilities,
    styles_of,
)

EXEMPLARS = 7


def draws(p_translate: float, batches: int = 5000, samples: int = 2) -> np.ndarray:
    """One batch per seed, as the trainer draws them."""
    seeds = ([0, 0, iteration // 50, iteration % 50, 0] for iteration in range(batches))
    generators = map(np.random.default_rng, seeds)
    uniform = np.full(EXEMPLARS, 1 / EXEMPLARS)
    return np.array([draw_styles(rng, samples, uniform, p_translate, 0.0).exemplars for rng in generators])


def bank(sizes: tuple[int, ...]) -> StyleBank:
    """Exemplars around as many orthogonal directions as there are sizes."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.eye(len(sizes), 16).repeat_interleave(torch.tensor(sizes), dim=0)
    vectors = F.normalize(directions + 0.05 * torch.randn(directions.shape, generator=generator), dim=1)
    windows = torch.rand(len(vectors), 2, generator=generator)
    return StyleBank(tuple(f"case_{i}" for i in range(len(vectors))), vectors, windows, torch.zeros(len(vectors)))


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


def test_two_ranks_never_draw_the_same_sequence():
    def sequence(rank: int) -> list[int]:
        uniform = np.full(EXEMPLARS, 1 / EXEMPLARS)
        generators = (np.random.default_rng([0, rank, 0, iteration, 0]) for iteration in range(50))
        return [exemplar for rng in generators for exemplar in draw_styles(rng, 2, uniform, 1.0, 0.0).exemplars]

    assert len({tuple(sequence(rank)) for rank in range(8)}) == 8


def test_a_rare_scanner_counts_as_much_as_a_common_one_when_balanced():
    styles = bank((19, 20, 1))
    np.testing.assert_allclose(exemplar_probabilities([styles], "uniform"), 1 / 40)
    balanced = exemplar_probabilities([styles], "balanced")
    np.testing.assert_allclose([balanced[:19].sum(), balanced[19:39].sum(), balanced[39]], 1 / 3)
    np.testing.assert_allclose(balanced[:19], 1 / 57)


def test_a_mixture_weighs_its_policies():
    styles = bank((19, 20, 1))
    uniform, balanced = (exemplar_probabilities([styles], policy) for policy in ("uniform", "balanced"))
    mixed = exemplar_probabilities([styles], {"uniform": 3, "balanced": 1})
    np.testing.assert_allclose(mixed, 0.75 * uniform + 0.25 * balanced)
    np.testing.assert_allclose(mixed[39], 0.75 / 40 + 0.25 / 3)


def test_several_generators_share_the_draws_and_never_mix_in_one_style():
    banks = [bank((3, 4)), bank((2, 2, 1))]  # MultiNets or an ensemble
    np.testing.assert_allclose(exemplar_probabilities(banks, "uniform"), 1 / 12)
    balanced = exemplar_probabilities(banks, "balanced")
    np.testing.assert_allclose([balanced[:3].sum(), balanced[3:7].sum()], 1 / 5)
    np.testing.assert_allclose([balanced[7:9].sum(), balanced[9:11].sum(), balanced[11]], 1 / 5)
    named = exemplar_probabilities(banks, "uniform", ["case_4", "case_6"])  # the second generator has no case_6
    np.testing.assert_allclose(named[[4, 6, 11]], 1 / 3)
    generators = np.repeat([0, 1], [7, 5])
    draw = draw_styles(np.random.default_rng(0), 3000, balanced, 1.0, 1.0, generators)
    assert (generators[draw.exemplars] == generators[draw.partners]).all()
    assert chisquare(np.bincount(draw.partners, minlength=12), 3000 * balanced).pvalue > 1e-4


def test_only_the_named_exemplars_are_drawn():
    styles = bank((3, 4))
    probabilities = exemplar_probabilities([styles], "uniform", ["case_1", "case_5"])
    np.testing.assert_allclose(probabilities, [0, 0.5, 0, 0, 0, 0.5, 0])
    with pytest.raises(InputError, match="'case_9' is no target case"):
        exemplar_probabilities([styles], "uniform", ["case_9"])


def test_interpolated_styles_lie_on_the_arc_and_their_windows_on_the_line():
    styles = bank((1, 1))
    draw = draw_styles(np.random.default_rng(0), 4000, np.array([1.0, 0.0]), 1.0, 0.5)
    assert abs((draw.t > 0).mean() - 0.5) < 0.04
    assert draw.t[draw.t > 0].min() >= 0.2
    assert draw.t.max() <= 0.8
    draw = StyleDraw(np.array([0, 1]), np.array([1, 1]), np.array([0.3, 0.0]))
    rows = torch.rand(2, 14)
    vectors, windows, between = styles_of(draw, styles.vectors, styles.windows, rows)
    torch.testing.assert_close(between, torch.stack([0.7 * rows[0] + 0.3 * rows[1], rows[1]]))
    angle = torch.acos(styles.vectors[0] @ styles.vectors[1])
    torch.testing.assert_close(torch.acos(vectors[0] @ styles.vectors[0]), 0.3 * angle)
    torch.testing.assert_close(torch.acos(vectors[0] @ styles.vectors[1]), 0.7 * angle)
    torch.testing.assert_close(windows[0], 0.7 * styles.windows[0] + 0.3 * styles.windows[1])
    torch.testing.assert_close(vectors[1], styles.vectors[1])


def test_styles_are_formed_on_a_cuda_device():
    draw = StyleDraw(np.array([0, 1]), np.array([1, 0]), np.array([0.3, 0.0]))
    with fake_cuda():
        vectors, windows = styles_of(draw, F.normalize(torch.rand(2, 8), dim=1), torch.rand(2, 2))
        assert vectors.device.type == windows.device.type == "cuda"


def test_new_exemplars_have_their_share_however_few_they_are():
    names = [f"old_{number}" for number in range(9)] + ["new"]
    vectors = torch.nn.functional.normalize(torch.randn(10, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    bank = StyleBank(tuple(names), vectors, torch.zeros(10, 2), torch.zeros(10))
    found = exemplar_probabilities([bank], "uniform", new=["new"], new_share=0.4)
    assert np.allclose(found, [0.6 / 9] * 9 + [0.4])
    assert np.allclose(exemplar_probabilities([bank], "uniform", new=["new"], new_share=1.0), [0] * 9 + [1])
    some = exemplar_probabilities([bank], "uniform", ["old_1", "old_3"], ["new"], 0.5)
    assert {names[i]: round(share, 6) for i, share in enumerate(some) if share} == {
        "old_1": 0.25, "old_3": 0.25, "new": 0.5,
    }  # fmt: skip
    with pytest.raises(InputError, match="'other' is no target case"):
        exemplar_probabilities([bank], "uniform", new=["other"])


def test_a_share_for_old_exemplars_needs_some():
    bank = StyleBank(("a", "b"), torch.eye(2), torch.zeros(2, 2), torch.zeros(2))
    with pytest.raises(InputError, match=r"^exemplars: all are new"):
        exemplar_probabilities([bank], "uniform", ["a"], ["a"], 0.5)
    np.testing.assert_allclose(exemplar_probabilities([bank], "uniform", ["a"], ["a"], 1.0), [1, 0])
