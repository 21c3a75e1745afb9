"""Blur, quantiles and noise given to images, against SciPy, NumPy and the formulas of the Rician distribution."""

import numpy as np
import pytest
import torch
from fake_cuda import fake_cuda
from scanned_phantoms import phantom
from scipy.ndimage import gaussian_filter
from scipy.stats import rice
from tiny_dataset import tiny_generator

from intrastyler_nnunet.translation.acquisition import COLUMNS, PROBABILITIES, Acquisition, measured
from intrastyler_nnunet.translation.rescanning import blurred, coloured, noisy, rescanned, sample_noise, with_quantiles
from intrastyler_nnunet.translation.translator import Translator

QUANTILES = (-0.8, -0.6, -0.4, -0.2, 0.0, 0.3, 0.7)


def row(noise: float = 0.0, grain=(0.0, 0.0, 0.0), blur=(0.0, 0.0, 0.0), quantiles=QUANTILES) -> torch.Tensor:
    return torch.tensor([[noise, *grain, *blur, *quantiles]])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_blur_is_scipys_and_each_image_has_its_own():
    images = torch.rand(2, 1, 20, 18, 12, generator=seeded())
    widths = ((1.3, 0.7, 0.0), (0.0, 1.9, 0.8))
    result = blurred(images, torch.cat([row(blur=width) for width in widths]))
    for image, output, width in zip(images, result, widths, strict=True):
        expected = gaussian_filter(image[0].numpy().astype(float), width, mode="nearest", truncate=4)
        np.testing.assert_allclose(output[0].numpy(), expected, atol=1e-3)


def test_gradients_pass_through_blur_and_noise():
    images = torch.zeros(1, 1, 21, 21, 9, requires_grad=True)
    rows = row(0.1, blur=(0.9, 0.9, 0.5))
    output = noisy(blurred(images, rows), rows, sample_noise(images, seeded()))
    output[0, 0, 10, 10, 4].backward()
    impulse = np.zeros((21, 21, 9))
    impulse[10, 10, 4] = 1
    expected = gaussian_filter(impulse, (0.9, 0.9, 0.5), truncate=4)  # of a symmetric kernel the adjoint is itself
    np.testing.assert_allclose(images.grad[0, 0].numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("grain", [(0.0, 0.5, 1.0), (1.8, 0.7, 0.4)])
def test_noise_keeps_its_deviation_and_is_correlated_as_a_gaussian_makes_it(grain):
    images = torch.zeros(1, 1, 60, 60, 40)
    noise = coloured(sample_noise(images, seeded())[0], torch.tensor([grain]))[0, 0].numpy()
    assert noise.shape == images.shape[2:]
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert np.abs(noise.std(axis=(1, 2)) - 1).max() < 0.25  # no less at the border
    for axis, sigma in enumerate(grain):
        along = np.moveaxis(noise, axis, 0)
        impulse = np.zeros(81)
        impulse[40] = 1
        kernel = gaussian_filter(impulse, sigma, truncate=4) if sigma else impulse
        for lag in (1, 2, 3):
            expected = (kernel[lag:] * kernel[: len(kernel) - lag]).sum() / (kernel**2).sum()
            assert (along[lag:] * along[:-lag]).mean() == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("level", [-1.0, -0.95, -0.8, 0.0])
def test_magnitudes_are_rician_with_the_mean_square_of_signal_and_noise(level):
    deviation, signal = 0.06, level + 1
    images = torch.full((1, 1, 60, 60, 30), level)
    magnitudes = noisy(images, row(deviation), sample_noise(images, seeded()))[0, 0].numpy() + 1
    underlying = np.sqrt(max(signal**2 - 2 * deviation**2, 0))
    expected = rice(underlying / deviation, scale=deviation)
    assert magnitudes.mean() == pytest.approx(expected.mean(), rel=5e-3)
    assert magnitudes.std() == pytest.approx(expected.std(), rel=1e-2)
    if signal**2 > 2 * deviation**2:
        assert (magnitudes**2).mean() == pytest.approx(signal**2, rel=5e-3)


@pytest.mark.parametrize("own", [0.0, 0.03, 0.08])
def test_an_image_gets_the_noise_that_it_lacks(own):
    images, wanted = phantom(1, (0.4, 0.4, 0.4), own), phantom(2, (0.4, 0.4, 0.4), 0.05)
    result = noisy(images, measured(wanted), sample_noise(images, seeded()))
    expected = max(own, 0.05)
    assert Acquisition.of(measured(result)).noise.item() == pytest.approx(expected, rel=0.2)
    added = (result - images)[0, 0].numpy()[images[0, 0].numpy() > -0.5]
    assert added.std() == pytest.approx(np.sqrt(max(0.05**2 - own**2, 0)), abs=0.01)


def test_quantiles_go_half_the_way():
    images = torch.from_numpy(gaussian_filter(np.random.default_rng(0).normal(size=(60, 60, 30)), 6)).float()
    images = (images / images.abs().max())[None, None]
    result = with_quantiles(images, row())[0, 0].numpy()
    before = np.quantile(images.numpy(), PROBABILITIES)
    np.testing.assert_allclose(np.quantile(result, PROBABILITIES), (before + QUANTILES) / 2, atol=0.02)
    ends = with_quantiles(torch.linspace(-1, 1, 4000).reshape(1, 1, 20, 20, 10), row()).flatten()
    assert (ends.diff() >= 0).all()
    assert (ends[0].item(), ends[-1].item()) == (-1, 1)


def test_noise_depends_on_its_seed_alone():
    images = phantom(3)
    first, again, other = (noisy(images, row(0.1), sample_noise(images, seeded(seed))) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def volumes() -> tuple[torch.Tensor, ...]:
    """An image, its window, two styles and their windows."""
    image = torch.randn(1, 1, 24, 20, 24, generator=seeded())
    styles = torch.nn.functional.normalize(torch.randn(2, 8, generator=seeded(1)))
    return image, torch.tensor([[-2.0, 2.5]]), styles, torch.tensor([[-0.5, 4.0], [0.25, 1.5]])


@pytest.mark.parametrize("trained", [False, True])
def test_a_volume_in_slabs_is_acquired_as_a_whole_image(trained):
    image, window, styles, windows = volumes()
    rows = torch.cat([row(0.08, (0.5, 0.5, 0.3), (0.9, 0.6, 1.1)), row(0.03)])
    translator = Translator(tiny_generator(acquisition=trained))
    slabs = translator.volume(image, window, styles, windows, slab=8, acquisitions=rows, seeds=(5, 6))
    for number, slab in enumerate(slabs):
        one = slice(number, number + 1)
        whole = translator(
            image, window, styles[one], windows[one], acquisitions=rows[one], noise=seeded(5 + number)
        )  # fmt: skip
        torch.testing.assert_close(slab, whole, atol=1e-4, rtol=0)


def test_a_translation_is_blurred_then_mapped_then_noisy():
    """The parts, each tested above, on what the generator itself gives."""
    image, window, styles, _ = volumes()
    rows = row(0.08, (0.5, 0.5, 0.3), (0.9, 0.6, 1.1))
    given = image, window, styles[:1], torch.tensor([[-1.0, 1.0]])
    for trained in (False, True):
        translator = Translator(tiny_generator(acquisition=trained))
        plain = translator(*given).permute(0, 1, 4, 3, 2)
        if trained:
            smooth = gaussian_filter(plain[0, 0].numpy(), (0.9, 0.6, 1.1), mode="nearest", truncate=4)
            plain = torch.from_numpy(smooth)[None, None]
        expected = noisy(with_quantiles(plain, rows), rows, sample_noise(plain, seeded(3)))
        result = translator(*given, acquisitions=rows, noise=seeded(3)).permute(0, 1, 4, 3, 2)
        torch.testing.assert_close(result, expected, atol=3e-3, rtol=0)


def test_padding_around_an_image_changes_nothing_inside():
    image, window, styles, windows = volumes()
    translator = Translator(tiny_generator(acquisition=True))
    rows = row(0.0, blur=(1.1, 0.7, 0.8))
    given = window, styles[:1], windows[:1]
    alone = translator(image, *given, acquisitions=rows)
    padded = torch.nn.functional.pad(image, (4, 4, 8, 0, 0, 4))
    outside = torch.nn.functional.pad(torch.ones_like(image), (4, 4, 8, 0, 0, 4)) == 0
    result = translator(padded, *given, outside, acquisitions=rows)
    torch.testing.assert_close(result[:, :, :24, 8:, 4:-4], alone, atol=0.05, rtol=0)
    assert (result[outside] == 0).all()


def test_without_a_row_nothing_changes():
    image, window, styles, windows = volumes()
    given = image, window, styles[:1], windows[:1]
    assert torch.equal(*(Translator(tiny_generator(acquisition=trained))(*given) for trained in (False, True)))


def test_on_a_cuda_device_without_reading_back():
    with fake_cuda(autocast=torch.float16):
        images, rows = torch.rand(2, 1, 20, 18, 8), torch.rand(2, COLUMNS)
        inside = torch.rand(2, 1, 20, 18, 8) > 0.1
        result = rescanned(images, rows, sample_noise(images, torch.Generator("cpu")), inside, True)
        assert (result.device.type, result.dtype, result.shape) == ("cuda", torch.float32, images.shape)
