"""What is measured of phantoms against what they were made with by SciPy."""

import numpy as np
import pytest
import torch
from fake_cuda import fake_cuda
from scanned_phantoms import phantom
from scipy.ndimage import gaussian_filter, uniform_filter

from intrastyler_nnunet.translation.acquisition import COLUMNS, PROBABILITIES, Acquisition, measured


def found(*images: torch.Tensor) -> Acquisition:
    return Acquisition.of(measured(torch.cat(images)))


@pytest.mark.parametrize("noise", [0.03, 0.1])
@pytest.mark.parametrize("grain", [(0.0, 0.0, 0.0), (0.6, 0.6, 0.0), (0.9, 0.7, 0.8)])
def test_noise_and_its_grain(noise, grain):
    row = found(phantom(1, (0.3, 0.3, 0.3), noise, grain))
    assert row.noise.item() == pytest.approx(noise, rel=0.25)
    for axis in range(3):
        # Widths below a third of a voxel leave white noise nearly as it is.
        assert max(row.grain[0, axis].item(), 0.35) == pytest.approx(max(grain[axis], 0.35), abs=0.12)


def test_no_noise_is_found_in_an_image_without():
    assert found(phantom(2, (0.5, 0.5, 0.5))).noise.item() < 0.02
    assert found(torch.full((1, 1, 20, 20, 8), 0.3)).noise.item() == 0


@pytest.mark.parametrize("blur", [(0.4, 0.6, 0.5), (0.8, 0.5, 0.9)])
def test_blur_of_straight_edges_along_each_axis(blur):
    """One edge along each axis, a third of a voxel from a border of voxels."""
    blocks = np.indices((147, 147, 147)) >= 73
    fine = gaussian_filter(blocks.sum(axis=0) % 2 * 1.2 - 0.6, [3 * sigma for sigma in blur], mode="nearest")
    image = uniform_filter(fine, 3)[1::3, 1::3, 1::3]
    image += np.random.default_rng(0).normal(0, 0.01, image.shape)
    row = found(torch.from_numpy(image.astype(np.float32))[None, None])
    np.testing.assert_allclose(row.blur[0].numpy(), blur, atol=0.15)


def test_more_blur_is_found_where_there_is_more_whatever_the_noise():
    rows = [
        found(phantom(3, blur, noise)).blur[0] for blur in ((0.2,) * 3, (0.6,) * 3, (1.0,) * 3) for noise in (0, 0.03)
    ]
    sharp, middling, smooth = torch.stack(rows).reshape(3, 2, 3)
    assert (sharp.amax(dim=0) < middling.amin(dim=0)).all()
    assert (middling.amax(dim=0) < smooth.amin(dim=0)).all()


def test_quantiles_are_numpys_of_local_means():
    image = phantom(4, noise=0.05)
    means = uniform_filter(image[0, 0].numpy(), (3, 3, 1), mode="nearest")[1:-1, 1:-1]
    np.testing.assert_allclose(found(image).quantiles[0].numpy(), np.quantile(means, PROBABILITIES), atol=1e-3)


def test_each_image_has_its_own_row_and_flips_change_nothing():
    first, second = phantom(5, (0.5, 0.5, 0.9), 0.04), phantom(6, noise=0.09)
    rows = measured(torch.cat([first, second]))
    torch.testing.assert_close(rows[1:], measured(second), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(measured(first.flip(2)), rows[:1], atol=0.02, rtol=0)


def test_what_is_outside_the_image_does_not_count():
    image = phantom(7, (0.5, 0.5, 0.5), 0.06)
    around = torch.nn.functional.pad(image, (0, 3, 8, 9, 12, 5), value=0.9)
    inside = torch.nn.functional.pad(torch.ones_like(image), (0, 3, 8, 9, 12, 5)) > 0
    with_margin, alone = Acquisition.of(measured(around, inside)), found(image)
    torch.testing.assert_close(with_margin.noise, alone.noise, atol=0, rtol=0.1)
    torch.testing.assert_close(with_margin.blur, alone.blur, atol=0.05, rtol=0)
    torch.testing.assert_close(with_margin.quantiles, alone.quantiles, atol=0.03, rtol=0)


def test_a_background_of_one_value_does_not_count_as_tissue():
    image = phantom(8, noise=0.06)
    padded = torch.nn.functional.pad(image, (0, 0, 40, 40, 40, 40), value=-0.2)
    assert found(padded).noise.item() == pytest.approx(found(image).noise.item(), rel=0.25)


def test_on_a_cuda_device_without_reading_back():
    with fake_cuda(autocast=torch.float16):
        rows = measured(torch.rand(2, 1, 20, 18, 8), torch.rand(2, 1, 20, 18, 8) > 0.1)
        assert (rows.device.type, rows.dtype, tuple(rows.shape)) == ("cuda", torch.float32, (2, COLUMNS))
