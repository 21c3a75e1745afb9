"""Drawn parameters against the probabilities and ranges of nnU-Net's own training pipelines."""

import numpy as np
import pytest
from batchgeneratorsv2.transforms.intensity.contrast import BGContrast
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerDA5 import nnUNetTrainerDA5
from scipy.stats import binom, kstest

from intrastyler_nnunet.nnunet.augmentation.parameters import (
    RANGES,
    IntensityChange,
    is_batched,
    sample_intensity_parameters,
)
from intrastyler_nnunet.nnunet.augmentation.worker_transforms import split_pipeline

DRAWS = 20_000


def moved_transforms(trainer: type[nnUNetTrainer] = nnUNetTrainer, flat: bool = False) -> list:
    return split_pipeline(trainer.get_training_transforms((16, 16, 16), (-0.5, 0.5), None, (0, 1, 2), flat))[1]


def changes(transforms: list, draws: int = DRAWS, channels: int = 1) -> tuple[IntensityChange, ...]:
    return sample_intensity_parameters(np.random.default_rng(0), transforms, draws, channels, 3).changes


STOCK = moved_transforms()
DRAWN = changes(STOCK)
NAMES = [f"{number}-{type(change.transform).__name__}" for number, change in enumerate(DRAWN)]
BY_NUMBER = pytest.mark.parametrize("number", range(len(DRAWN)), ids=NAMES)


def values_of(change: IntensityChange) -> np.ndarray:
    """All that were drawn, without sign."""
    return np.abs(change.values[~np.isnan(change.values)])


def test_all_of_nnunets_own_run_on_the_device_and_some_of_da5():
    assert [change.transform for change in DRAWN] == [transform.transform for transform in STOCK]
    assert all(is_batched(change.transform) for change in DRAWN)
    batched = {type(change.transform).__name__: is_batched(change.transform)
               for change in changes(moved_transforms(nnUNetTrainerDA5), 1)}  # fmt: skip
    assert batched == {
        "MedianFilterTransform": False, "GaussianBlurTransform": True, "GaussianNoiseTransform": True,
        "BrightnessAdditiveTransform": True, "ContrastTransform": True, "SimulateLowResolutionTransform": True,
        "GammaTransform": True, "BlankRectangleTransform": False, "BrightnessGradientAdditiveTransform": False,
        "LocalGammaTransform": False, "SharpeningTransform": False,
    }  # fmt: skip


@BY_NUMBER
def test_rate_lies_within_a_binomial_bound_of_nnunets(number):
    probability = STOCK[number].apply_probability * STOCK[number].transform.p_per_channel
    applied = int((~np.isnan(DRAWN[number].values.reshape(DRAWS, -1)[:, 0])).sum())
    low, high = binom.interval(1 - 1e-6, DRAWS, probability)
    assert low <= applied <= high


@BY_NUMBER
def test_values_fill_nnunets_range(number):
    limits = getattr(STOCK[number].transform, RANGES[type(STOCK[number].transform)])
    low, high = getattr(limits, "contrast_range", limits)
    values = values_of(DRAWN[number])
    margin = 0.02 * (high - low)
    assert low <= values.min() < low + margin
    assert high - margin < values.max() <= high


@pytest.mark.parametrize("limits", [(0.75, 1.25), (0.5, 2), (1.1, 1.5)])
def test_factors_follow_nnunets_own_sampler(limits):
    sampler = BGContrast(limits)
    state = np.random.get_state()
    np.random.seed(1)
    stock = [sampler() for _ in range(5000)]
    np.random.set_state(state)
    values = values_of(changes([GammaTransform(sampler, 0.5, False, 1, 1)])[0])
    assert kstest(values, stock).pvalue > 1e-4


def test_gamma_inverts_as_often_as_it_says():
    signs = [np.sign(change.values[~np.isnan(change.values)]) for change in DRAWN if
             isinstance(change.transform, GammaTransform)]  # fmt: skip
    assert [set(sign) for sign in signs] == [{-1.0}, {1.0}]
    values = changes([GammaTransform((0.7, 1.5), 0.3, False, 1, 1)])[0].values
    low, high = binom.interval(1 - 1e-6, DRAWS, 0.3)
    assert low <= (values < 0).sum() <= high


def test_low_resolution_is_the_same_along_all_axes_and_can_spare_the_first():
    scale = DRAWN[4].values[~np.isnan(DRAWN[4].values[..., 0])]
    assert (scale == scale[:, :1]).all()
    spared = changes(moved_transforms(flat=True))[4].values
    spared = spared[~np.isnan(spared[..., 0])]
    assert (spared[:, 0] == 1).all()
    assert (spared[:, 1] == spared[:, 2]).all()
    assert spared[:, 1].min() < 0.55


def test_blur_differs_between_axes_unless_they_are_synchronised():
    sigma = DRAWN[1].values[~np.isnan(DRAWN[1].values[..., 0])]
    assert (sigma[:, 0] != sigma[:, 1]).all()
    (same,) = changes([GaussianBlurTransform((0.3, 1.5), True, True, 1.0)], 100, channels=2)
    assert (same.values == same.values[:, :1, :1]).all()


def test_noise_is_shared_by_the_channels_of_a_sample():
    noise = changes(STOCK, 500, channels=3)[0].values
    assert np.array_equal(noise[:, 0], noise[:, 1], equal_nan=True)


def test_one_of_several_is_chosen_by_each_sample():
    contrasts = [change for change in changes(moved_transforms(nnUNetTrainerDA5))
                 if type(change.transform).__name__ == "ContrastTransform"]  # fmt: skip
    within, beyond = (change.samples for change in contrasts)
    assert not (within & beyond).any()
    low, high = binom.interval(1 - 1e-6, DRAWS, 0.5 * 0.2)
    assert low <= within.sum() <= high
    assert low <= beyond.sum() <= high


def test_what_draws_for_itself_is_not_drawn_for():
    assert not is_batched(GaussianBlurTransform(lambda *_, **__: 1.0))
    assert not is_batched(GammaTransform((0.7, 1.5), 0, False, 1, p_retain_stats=0.5))


def test_seeded():
    first, second = (changes(STOCK, 8) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.values, other.values, equal_nan=True)
