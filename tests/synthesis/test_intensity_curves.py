"""Random intensity curves against NumPy's interpolation."""

import numpy as np
import torch
from fake_cuda import fake_cuda
from hypothesis import given
from hypothesis import strategies as st

from intrastyler_nnunet.synthesis.intensity_curves import KNOTS, apply_curves, sample_curves


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 3))
def test_images_go_through_their_own_curve(seed, count):
    rng = np.random.default_rng(seed)
    images, curves = rng.uniform(-1, 1, (count, 1, 3, 4, 5)), sample_curves(rng, count)
    images[:, 0, 0, 0, :2] = -1, 1
    knots = np.linspace(-1, 1, KNOTS)
    expected = [np.interp(image, knots, curve) for image, curve in zip(images, curves, strict=True)]
    np.testing.assert_allclose(apply_curves(torch.from_numpy(images), curves), np.stack(expected), atol=1e-12)


def test_curves_differ_and_keep_what_gives_no_signal():
    curves = sample_curves(np.random.default_rng(0), 500)
    assert np.all(curves[:, 0] == -1) and np.abs(curves).max() <= 1
    assert np.allclose(curves[:, 1:].mean(axis=0), 0, atol=0.1)
    assert np.allclose(curves[:, 1:].std(axis=0), np.sqrt(1 / 3), atol=0.05)


def test_curves_are_applied_on_the_device():
    with fake_cuda():
        assert apply_curves(torch.rand(2, 1, 4, 4, 4), np.zeros((2, KNOTS))).device.type == "cuda"
