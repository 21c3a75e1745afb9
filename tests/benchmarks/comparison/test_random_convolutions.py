"""GIN: convolutions against SciPy's, sample by sample, and what the draw is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fake_cuda import fake_cuda
from scipy.ndimage import correlate

from benchmarks.comparison.random_convolutions import apply_random_convolutions, sample_random_convolutions


@pytest.mark.parametrize("channels", [1, 2])
def test_every_image_goes_through_its_own_network(channels):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, channels, 4, 5, 6))
    networks = sample_random_convolutions(np.random.default_rng(1), 3, channels)
    made = apply_random_convolutions(torch.from_numpy(images), networks).numpy()
    for number, image in enumerate(images):
        features = image
        for layer, (kernels, shifts) in enumerate(zip(networks.kernels, networks.shifts, strict=True)):
            if layer:
                features = np.where(features > 0, features, 0.01 * features)
            features = np.stack([
                sum(correlate(f, k, mode="constant") for f, k in zip(features, kernel, strict=True))
                for kernel in kernels[number].double().numpy()
            ]) + shifts[number].numpy()[:, None, None, None]  # fmt: skip
        share = float(networks.shares[number])
        mixed = share * features + (1 - share) * image
        expected = mixed * np.linalg.norm(image) / np.linalg.norm(mixed)
        np.testing.assert_allclose(made[number], expected, rtol=1e-4, atol=1e-5)


def test_the_norm_stays_and_without_a_share_the_image():
    images = torch.randn(2, 1, 6, 6, 6)
    networks = sample_random_convolutions(np.random.default_rng(2), 2)
    made = apply_random_convolutions(images, networks)
    torch.testing.assert_close(made.flatten(1).norm(dim=1), images.flatten(1).norm(dim=1), rtol=1e-4, atol=1e-4)
    unchanged = apply_random_convolutions(images, replace(networks, shares=torch.zeros(2)))
    torch.testing.assert_close(unchanged, images, rtol=1e-4, atol=1e-4)


def test_the_draw():
    networks = sample_random_convolutions(np.random.default_rng(3), 4000)
    assert [kernel.shape[1:3] for kernel in networks.kernels] == [(2, 1), (2, 2), (2, 2), (1, 2)]
    for kernel, shift in zip(networks.kernels, networks.shifts, strict=True):
        single = kernel.clone()
        single[..., 1, 1, 1] = 0
        point_like = ~single.flatten(1).any(dim=1)
        assert point_like.float().mean().item() == pytest.approx(0.5, abs=0.04)
        for weights in (kernel[~point_like], kernel[..., 1, 1, 1], shift):
            assert weights.mean().item() == pytest.approx(0, abs=0.05)
            assert weights.std().item() == pytest.approx(1, abs=0.05)
    assert networks.shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert networks.shares.std().item() == pytest.approx(12**-0.5, abs=0.02)
    again = sample_random_convolutions(np.random.default_rng(3), 4000)
    assert all(torch.equal(one, other) for one, other in zip(networks.kernels, again.kernels, strict=True))


def test_it_runs_on_the_images_device():
    with fake_cuda():
        networks = sample_random_convolutions(np.random.default_rng(4), 2)
        made = apply_random_convolutions(torch.randn(2, 1, 4, 4, 4, device="cuda"), networks)
    assert made.device.type == "cuda"
    assert made.shape == (2, 1, 4, 4, 4)
