"""The batched intensity augmentation against batchgeneratorsv2's transforms, image by image."""

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.intensity.brightness import (
    BrightnessAdditiveTransform,
    MultiplicativeBrightnessTransform,
)
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.noise.median_filter import MedianFilterTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from fake_cuda import fake_cuda

from intrastyler_nnunet.nnunet.augmentation.intensity import augment_intensity
from intrastyler_nnunet.nnunet.augmentation.parameters import (
    IntensityChange,
    IntensityParameters,
    sample_intensity_parameters,
)

SPATIAL = (9, 12, 15)


TRANSFORMS = {
    "noise": GaussianNoiseTransform((0, 0.1), 1, True),
    "blur": GaussianBlurTransform((0.5, 1.0), False, False, 1.0),
    "brightness": MultiplicativeBrightnessTransform((0.75, 1.25), False),
    "shift": BrightnessAdditiveTransform(0, 0.5, False),
    "contrast": ContrastTransform((0.75, 1.25), True, False),
    "contrast beyond the range": ContrastTransform((0.75, 1.25), False, False),
    "low_resolution": SimulateLowResolutionTransform((0.5, 1), False, True, None, None, 1.0),
    "inverted_gamma": GammaTransform((0.7, 1.5), 1, False, 1, 1),
    "gamma": GammaTransform((0.7, 1.5), 0, False, 1, 1),
}


def drawn(values: dict[str, np.ndarray], seed: int = 7) -> IntensityParameters:
    """Parameters with these values, by the transforms' names above and in their order."""
    changes = (
        IntensityChange(transform, np.ones(len(values[name]), bool), values[name])
        for name, transform in TRANSFORMS.items()
        if name in values
    )
    return IntensityParameters(seed, tuple(changes))


def images(samples: int = 3, channels: int = 2) -> torch.Tensor:
    return torch.randn(samples, channels, *SPATIAL, generator=torch.Generator().manual_seed(0))


def chosen_values(values: np.ndarray) -> np.ndarray:
    """The values with NaN for images (0, 1) and (2, 0), which are then to be left alone."""
    values = values.copy()
    values[0, 1] = np.nan
    values[2, 0] = np.nan
    return values


def stock(name: str, image: torch.Tensor, value) -> torch.Tensor:
    """Let batchgeneratorsv2 change one image (1, *spatial) by a value."""
    arguments = {
        "blur": lambda: {"apply_to_channel": torch.tensor([True]), "sigmas": [list(value)]},
        "low_resolution": lambda: {"apply_to_channel": [0], "scales": torch.Tensor([list(value)])},
        "brightness": lambda: {"apply_to_channel": [0], "multipliers": torch.Tensor([value])},
        "shift": lambda: {"apply_to_channel": torch.tensor([0]), "shift": torch.Tensor([value])},
        "contrast": lambda: {"apply_to_channel": torch.tensor([0]), "multipliers": torch.Tensor([value])},
        "gamma": lambda: {
            "apply_to_channel": torch.tensor([0]), "retain_stats": torch.tensor([True]),
            "invert_image": torch.tensor([value < 0]), "gamma": torch.Tensor([abs(value)]),
        },
    }  # fmt: skip
    known = next(kind for kind in arguments if kind in name)
    return TRANSFORMS[name]._apply_to_image(image, **arguments[known]())


RNG = np.random.default_rng(5)
VALUES = {
    "blur": RNG.uniform(0.5, 1.0, (3, 2, 3)),
    "low_resolution": np.repeat(RNG.uniform(0.5, 1.0, (3, 2, 1)), 3, axis=-1),
    "brightness": RNG.uniform(0.75, 1.25, (3, 2)),
    "shift": RNG.normal(0, 0.5, (3, 2)),
    "contrast": RNG.uniform(0.75, 1.25, (3, 2)),
    "contrast beyond the range": RNG.uniform(0.75, 1.25, (3, 2)),
    "inverted_gamma": -RNG.uniform(0.7, 1.5, (3, 2)),
    "gamma": RNG.uniform(0.7, 1.5, (3, 2)),
}


@pytest.mark.parametrize("name", VALUES)
def test_equals_batchgeneratorsv2_and_leaves_the_rest_bit_identical(name):
    values = chosen_values(VALUES[name])
    batch = images()
    before = batch.clone()
    augmented = augment_intensity(batch, drawn({name: values}), 2)
    assert torch.equal(batch, before)
    for sample in range(3):
        for channel in range(2):
            image, value = batch[sample, channel], values[sample, channel]
            if np.isnan(value).any():
                assert torch.equal(augmented[sample, channel], image)
            else:
                expected = stock(name, image.clone()[None], value)[0]
                torch.testing.assert_close(augmented[sample, channel], expected, rtol=1e-5, atol=1e-5)
                assert not torch.allclose(expected, image, atol=1e-3)


def test_low_resolution_can_spare_the_first_axis():
    scale = np.full((3, 2, 3), 0.6)
    scale[..., 0] = 1.0
    batch = images()
    augmented = augment_intensity(batch, drawn({"low_resolution": scale}), 2)
    expected = stock("low_resolution", batch[1, 1].clone()[None], scale[1, 1])[0]
    torch.testing.assert_close(augmented[1, 1], expected, rtol=1e-5, atol=1e-5)


def test_noise_has_the_drawn_standard_deviation_and_is_seeded():
    batch = torch.zeros(2, 1, 40, 40, 40)
    noise = np.array([[0.08], [np.nan]])
    parameters = drawn({"noise": noise})
    augmented = augment_intensity(batch, parameters, 1)
    voxels = augmented[0].numel()
    assert abs(augmented[0].std().item() - 0.08) < 4 * 0.08 / np.sqrt(2 * voxels)
    assert abs(augmented[0].mean().item()) < 4 * 0.08 / np.sqrt(voxels)
    assert torch.equal(augmented[1], batch[1])
    assert torch.equal(augmented, augment_intensity(batch, parameters, 1))
    assert not torch.equal(augmented, augment_intensity(batch, drawn({"noise": noise}, seed=8), 1))


def test_the_order_is_that_of_the_pipeline():
    """All transforms at once equal the stock ones one after the other."""
    batch = images()
    augmented = augment_intensity(batch, drawn(VALUES), 2)
    expected = batch[1, 0].clone()[None]
    for name in TRANSFORMS:
        if name in VALUES:
            expected = stock(name, expected, VALUES[name][1, 0])
    torch.testing.assert_close(augmented[1, 0], expected[0], rtol=1e-4, atol=1e-4)


def test_channels_beyond_the_image_stay():
    batch = torch.cat([images(3, 1), images(3, 2)], dim=1)
    everything = {name: values[:, :1] for name, values in VALUES.items()} | {"noise": np.full((3, 1), 0.1)}
    augmented = augment_intensity(batch, drawn(everything), 1)
    assert torch.equal(augmented[:, 1:], batch[:, 1:])
    assert not torch.equal(augmented[:, :1], batch[:, :1])


def test_constant_images_stay_finite():
    assert augment_intensity(torch.full((3, 2, *SPATIAL), 2.0), drawn(VALUES), 2).isfinite().all()


def test_runs_on_a_cuda_device_without_reading_back():
    values = {name: chosen_values(value) for name, value in VALUES.items()} | {"noise": np.full((3, 2), 0.1)}
    with fake_cuda():
        batch = torch.zeros(3, 2, *SPATIAL, device="cuda")
        augmented = augment_intensity(batch, drawn(values), 2, torch.Generator("cpu"))
        assert augmented.device.type == "cuda"
        assert augmented.shape == batch.shape


def test_two_dimensional_batches():
    batch = images()[:, :, 0]
    parameters = sample_intensity_parameters(np.random.default_rng(3), list(TRANSFORMS.values()), 3, 2, axes=2)
    assert augment_intensity(batch, parameters, 2).shape == batch.shape
    sigma = np.full((3, 2, 2), 0.7)
    alone = augment_intensity(batch, drawn({"blur": sigma}), 2)
    expected = stock("blur", batch[2, 1].clone()[None], sigma[2, 1])[0]
    torch.testing.assert_close(alone[2, 1], expected, rtol=1e-5, atol=1e-5)


def test_transforms_that_draw_for_themselves_change_their_samples_alone_and_are_seeded():
    median = MedianFilterTransform((2, 4), p_per_channel=1)
    change = IntensityChange(median, np.array([False, True, False]), None)
    batch = torch.cat([images(), images(3, 1)], dim=1)
    np.random.seed(3)
    torch.manual_seed(3)
    expected = np.random.random(), torch.rand(1)
    np.random.seed(3)
    torch.manual_seed(3)
    first, second, other = (augment_intensity(batch, IntensityParameters(seed, (change,)), 2) for seed in (1, 1, 2))
    assert (np.random.random(), torch.rand(1)) == expected, "the global generators are as they were"
    changed = [not torch.equal(a, b) for a, b in zip(first.flatten(0, 1), batch.flatten(0, 1), strict=True)]
    assert changed == [False] * 3 + [True, True, False] + [False] * 3
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
