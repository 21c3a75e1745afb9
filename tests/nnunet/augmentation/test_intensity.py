"""The batched intensity augmentation against batchgeneratorsv2's transforms, image by image."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from fake_cuda import fake_cuda

from intrastyler_nnunet.nnunet.augmentation.intensity import augment_intensity
from intrastyler_nnunet.nnunet.augmentation.parameters import IntensityParameters, sample_intensity_parameters

SPATIAL = (9, 12, 15)


def untouched(samples: int = 3, channels: int = 2, axes: int = 3) -> IntensityParameters:
    per_image = np.full((samples, channels), np.nan)
    per_axis = np.full((samples, channels, axes), np.nan)
    return IntensityParameters(7, per_image, per_axis, per_image, per_image, per_axis, per_image, per_image)


def images(samples: int = 3, channels: int = 2) -> torch.Tensor:
    return torch.randn(samples, channels, *SPATIAL, generator=torch.Generator().manual_seed(0))


def chosen_values(values: np.ndarray) -> np.ndarray:
    """The values with NaN for images (0, 1) and (2, 0), which are then to be left alone."""
    values = values.copy()
    values[0, 1] = np.nan
    values[2, 0] = np.nan
    return values


def stock_blur(image, sigma):
    transform = GaussianBlurTransform((0.5, 1.0), False, False, 1.0, benchmark=False)
    return transform._apply_to_image(image, apply_to_channel=torch.tensor([True]), sigmas=[list(sigma)])


def stock_low_resolution(image, scale):
    transform = SimulateLowResolutionTransform((0.5, 1), False, True, None, None, 1.0)
    return transform._apply_to_image(image, apply_to_channel=[0], scales=torch.Tensor([list(scale)]))


def stock_brightness(image, factor):
    transform = MultiplicativeBrightnessTransform((0.75, 1.25), False)
    return transform._apply_to_image(image, apply_to_channel=[0], multipliers=torch.Tensor([factor]))


def stock_contrast(image, factor):
    transform = ContrastTransform((0.75, 1.25), True, False)
    multipliers = torch.Tensor([factor])
    return transform._apply_to_image(image, apply_to_channel=torch.tensor([0]), multipliers=multipliers)


def stock_gamma(inverted):
    def apply(image, exponent):
        return GammaTransform((0.7, 1.5), 1, False, 1, 1)._apply_to_image(
            image,
            apply_to_channel=torch.tensor([0]),
            retain_stats=torch.tensor([True]),
            invert_image=torch.tensor([inverted]),
            gamma=torch.Tensor([exponent]),
        )

    return apply


RNG = np.random.default_rng(5)
CASES = {
    "blur": (stock_blur, RNG.uniform(0.5, 1.0, (3, 2, 3))),
    "low_resolution": (stock_low_resolution, np.repeat(RNG.uniform(0.5, 1.0, (3, 2, 1)), 3, axis=-1)),
    "brightness": (stock_brightness, RNG.uniform(0.75, 1.25, (3, 2))),
    "contrast": (stock_contrast, RNG.uniform(0.75, 1.25, (3, 2))),
    "inverted_gamma": (stock_gamma(True), RNG.uniform(0.7, 1.5, (3, 2))),
    "gamma": (stock_gamma(False), RNG.uniform(0.7, 1.5, (3, 2))),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_batchgeneratorsv2_and_leaves_the_rest_bit_identical(name):
    stock, values = CASES[name]
    values = chosen_values(values)
    batch = images()
    before = batch.clone()
    augmented = augment_intensity(batch, replace(untouched(), **{name: values}))
    assert torch.equal(batch, before)
    for sample in range(3):
        for channel in range(2):
            image, value = batch[sample, channel], values[sample, channel]
            if np.isnan(value).any():
                assert torch.equal(augmented[sample, channel], image)
            else:
                expected = stock(image.clone()[None], value)[0]
                torch.testing.assert_close(augmented[sample, channel], expected, rtol=1e-5, atol=1e-5)
                assert not torch.allclose(expected, image, atol=1e-3)


def test_low_resolution_can_spare_the_first_axis():
    scale = np.full((3, 2, 3), 0.6)
    scale[..., 0] = 1.0
    batch = images()
    augmented = augment_intensity(batch, replace(untouched(), low_resolution=scale))
    expected = stock_low_resolution(batch[1, 1].clone()[None], scale[1, 1])[0]
    torch.testing.assert_close(augmented[1, 1], expected, rtol=1e-5, atol=1e-5)


def test_noise_has_the_drawn_standard_deviation_and_is_seeded():
    batch = torch.zeros(2, 1, 40, 40, 40)
    noise = np.array([[0.08], [np.nan]])
    parameters = replace(untouched(2, 1), noise=noise)
    augmented = augment_intensity(batch, parameters)
    voxels = augmented[0].numel()
    assert abs(augmented[0].std().item() - 0.08) < 4 * 0.08 / np.sqrt(2 * voxels)
    assert abs(augmented[0].mean().item()) < 4 * 0.08 / np.sqrt(voxels)
    assert torch.equal(augmented[1], batch[1])
    assert torch.equal(augmented, augment_intensity(batch, parameters))
    assert not torch.equal(augmented, augment_intensity(batch, replace(parameters, noise_seed=8)))


def test_order_is_nnunets():
    """All transforms at once equal the stock ones chained in nnU-Net's order."""
    values = {name: case[1] for name, case in CASES.items()}
    batch = images()
    augmented = augment_intensity(batch, replace(untouched(), **values))
    expected = batch[1, 0].clone()[None]
    for name in ("blur", "brightness", "contrast", "low_resolution", "inverted_gamma", "gamma"):
        expected = CASES[name][0](expected, values[name][1, 0])
    torch.testing.assert_close(augmented[1, 0], expected[0], rtol=1e-4, atol=1e-4)


def test_channels_beyond_the_image_stay():
    batch = torch.cat([images(3, 1), images(3, 2)], dim=1)
    everything = {name: values[:, :1] for name, (_, values) in CASES.items()}
    parameters = replace(untouched(3, 1), noise=np.full((3, 1), 0.1), **everything)
    augmented = augment_intensity(batch, parameters)
    assert torch.equal(augmented[:, 1:], batch[:, 1:])
    assert not torch.equal(augmented[:, :1], batch[:, :1])


def test_constant_images_stay_finite():
    everything = {name: values for name, (_, values) in CASES.items()}
    augmented = augment_intensity(torch.full((3, 2, *SPATIAL), 2.0), replace(untouched(), **everything))
    assert augmented.isfinite().all()


def test_runs_on_a_cuda_device_without_reading_back():
    values = {name: chosen_values(case[1]) for name, case in CASES.items()}
    parameters = replace(untouched(), noise=np.full((3, 2), 0.1), **values)
    with fake_cuda():
        batch = torch.zeros(3, 2, *SPATIAL, device="cuda")
        augmented = augment_intensity(batch, parameters, torch.Generator("cpu"))
        assert augmented.device.type == "cuda"
        assert augmented.shape == batch.shape


def test_two_dimensional_batches():
    batch = images()[:, :, 0]
    parameters = sample_intensity_parameters(np.random.default_rng(3), 3, 2, axes=2)
    sigma = np.full((3, 2, 2), 0.7)
    augmented = augment_intensity(batch, replace(parameters, blur=sigma))
    assert augmented.shape == batch.shape
    alone = augment_intensity(batch, replace(untouched(axes=2), blur=sigma))
    expected = stock_blur(batch[2, 1].clone()[None], sigma[2, 1])[0]
    torch.testing.assert_close(alone[2, 1], expected, rtol=1e-5, atol=1e-5)
