"""Random intensity curves against NumPy's interpolation."""

import numpy as np
import torch
from fake_cuda import fake_cuda
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from intrastyler_nnunet.synthesis.intensity_curves import KNOTS, apply_curves, most_alike, sample_curves


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 3))
def test_images_go_through_their_own_curve(seed, count):
    rng = np.random.default_rng(seed)
    images, curves = rng.uniform(-1, 1, (count, 1, 3, 4, 5)), sample_curves(rng, count)[:, 0]
    images[:, 0, 0, 0, :2] = -1, 1
    knots = np.linspace(-1, 1, KNOTS)
    expected = [np.interp(image, knots, curve) for image, curve in zip(images, curves, strict=True)]
    np.testing.assert_allclose(apply_curves(*map(torch.from_numpy, (images, curves))), np.stack(expected), atol=1e-12)


def test_curves_differ_and_keep_what_gives_no_signal():
    curves = sample_curves(np.random.default_rng(0), 10).reshape(-1, KNOTS)
    assert np.all(curves[:, 0] == -1) and np.abs(curves).max() <= 1
    assert np.allclose(curves[:, 1:].mean(axis=0), 0, atol=0.1)
    assert np.allclose(curves[:, 1:].std(axis=0), np.sqrt(1 / 3), atol=0.05)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_chosen_curve_is_the_one_after_which_intensities_are_nearest(seed):
    rng = np.random.default_rng(seed)
    images, models = rng.uniform(-1, 1, (2, 2, 1, 16, 16, 8))
    models = models**3
    curves = sample_curves(rng, 2)[:, :8]
    chosen = most_alike(*map(torch.from_numpy, (curves, images, models)))
    knots = np.linspace(-1, 1, KNOTS)
    for image, model, candidates, curve in zip(images, models, curves, chosen, strict=True):
        mapped = [np.interp(image, knots, candidate).ravel() for candidate in candidates]
        distances = [wasserstein_distance(values, model.ravel()) for values in mapped]
        np.testing.assert_array_equal(curve, candidates[np.argmin(distances)])


def test_curves_are_chosen_and_applied_on_the_device():
    with fake_cuda():
        images = torch.rand(2, 1, 4, 4, 4)
        curves = most_alike(torch.rand(2, 3, KNOTS), images, images)
        assert apply_curves(images, curves).device.type == "cuda" and curves.shape == (2, KNOTS)
