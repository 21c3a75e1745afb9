"""Drawn parameters against the probabilities and ranges of nnU-Net's own training pipeline."""

import numpy as np
import pytest
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from scipy.stats import binom, kstest

from intrastyler_nnunet.nnunet.augmentation.parameters import sample_intensity_parameters
from intrastyler_nnunet.nnunet.augmentation.worker_transforms import is_intensity

DRAWS = 20_000
PARAMETERS = sample_intensity_parameters(np.random.default_rng(0), DRAWS, channels=1, axes=3)


def stock_transforms() -> dict:
    """nnU-Net's intensity transforms by the name of our parameter."""
    pipeline = nnUNetTrainer.get_training_transforms((16, 16, 16), (-0.5, 0.5), None, (0, 1, 2), False)
    names = {
        "GaussianNoiseTransform": "noise",
        "GaussianBlurTransform": "blur",
        "MultiplicativeBrightnessTransform": "brightness",
        "ContrastTransform": "contrast",
        "SimulateLowResolutionTransform": "low_resolution",
    }
    found = {}
    for transform in filter(is_intensity, pipeline.transforms):
        inner = transform.transform
        if isinstance(inner, GammaTransform):
            name = "inverted_gamma" if inner.p_invert_image == 1 else "gamma"
        else:
            name = names[type(inner).__name__]
        found[name] = transform
    return found


STOCK = stock_transforms()
RANGES = {
    "noise": lambda t: t.noise_variance,
    "blur": lambda t: t.blur_sigma,
    "brightness": lambda t: t.multiplier_range.contrast_range,
    "contrast": lambda t: t.contrast_range.contrast_range,
    "low_resolution": lambda t: t.scale,
    "inverted_gamma": lambda t: t.gamma.contrast_range,
    "gamma": lambda t: t.gamma.contrast_range,
}


def test_nnunet_has_exactly_these_transforms():
    assert list(STOCK) == [
        "noise", "blur", "brightness", "contrast", "low_resolution", "inverted_gamma", "gamma",
    ]  # fmt: skip


@pytest.mark.parametrize("name", RANGES)
def test_rate_lies_within_a_binomial_bound_of_nnunets(name):
    transform = STOCK[name]
    probability = transform.apply_probability * transform.transform.p_per_channel
    applied = int((~np.isnan(getattr(PARAMETERS, name).reshape(DRAWS, -1)[:, 0])).sum())
    low, high = binom.interval(1 - 1e-6, DRAWS, probability)
    assert low <= applied <= high


@pytest.mark.parametrize("name", RANGES)
def test_values_fill_nnunets_range(name):
    low, high = RANGES[name](STOCK[name].transform)
    values = getattr(PARAMETERS, name)
    values = values[~np.isnan(values)]
    margin = 0.02 * (high - low)
    assert low <= values.min() < low + margin
    assert high - margin < values.max() <= high


@pytest.mark.parametrize("name", ["brightness", "contrast", "inverted_gamma", "gamma"])
def test_factors_follow_nnunets_own_sampler(name):
    transform = STOCK[name].transform
    sampler = {"brightness": "multiplier_range", "contrast": "contrast_range"}.get(name, "gamma")
    state = np.random.get_state()
    np.random.seed(1)
    stock = [getattr(transform, sampler)() for _ in range(5000)]
    np.random.set_state(state)
    values = getattr(PARAMETERS, name)
    assert kstest(values[~np.isnan(values)], stock).pvalue > 1e-4


def test_low_resolution_is_the_same_along_all_axes_and_can_spare_the_first():
    scale = PARAMETERS.low_resolution[~np.isnan(PARAMETERS.low_resolution[..., 0])]
    assert (scale == scale[:, :1]).all()
    spared = sample_intensity_parameters(np.random.default_rng(0), DRAWS, 1, 3, False).low_resolution
    spared = spared[~np.isnan(spared[..., 0])]
    assert (spared[:, 0] == 1).all()
    assert (spared[:, 1] == spared[:, 2]).all()
    assert spared[:, 1].min() < 0.55


def test_blur_differs_between_axes():
    sigma = PARAMETERS.blur[~np.isnan(PARAMETERS.blur[..., 0])]
    assert (sigma[:, 0] != sigma[:, 1]).all()


def test_noise_is_shared_by_the_channels_of_a_sample():
    noise = sample_intensity_parameters(np.random.default_rng(0), 500, 3, 3).noise
    assert np.array_equal(noise[:, 0], noise[:, 1], equal_nan=True)


def test_seeded():
    first, second = (sample_intensity_parameters(np.random.default_rng([4, 2]), 8, 1, 3) for _ in range(2))
    for name, value in vars(first).items():
        assert np.array_equal(value, getattr(second, name), equal_nan=True), name
