"""Random contrasts against SciPy's neighbourhoods, NumPy's interpolation and SciPy's Wasserstein distance."""

import numpy as np
import torch
from contrast_curves import through_curve
from fake_cuda import fake_cuda
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.stats import wasserstein_distance

from intrastyler_nnunet.synthesis.intensity_curves import KNOTS, apply_curves, most_alike, sample_ranks


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 3))
def test_images_go_through_their_own_curve(seed, count):
    rng = np.random.default_rng(seed)
    images, curves = rng.uniform(-1, 1, (count, 1, 3, 4, 5)), rng.uniform(-1, 1, (count, 2, KNOTS))
    curves[:, 0].sort(axis=-1)
    images[:, 0, 0, 0, :2] = -1, 1
    expected = [through_curve(image[0], curve)[0][None] for image, curve in zip(images, curves, strict=True)]
    np.testing.assert_allclose(apply_curves(*map(torch.from_numpy, (images, curves))), np.stack(expected), atol=1e-9)


def test_a_voxel_between_two_tissues_stays_a_mixture_of_both():
    """Fluid in bone, with half-filled voxels at its ends, where brain is as bright as these."""
    image = torch.tensor([-0.8, -0.8, 0.0, 0.8, 0.8, 0.0, -0.8, -0.8]).reshape(1, 1, 8, 1, 1)
    curve = torch.tensor([[-0.8, 0.0, 0.8], [-1.0, 1.0, -0.4]])[None]
    curve = torch.cat([curve, curve[..., -1:].expand(-1, -1, KNOTS - 3)], dim=-1)
    expected = torch.tensor([-1.0, -1.0, -0.7, -0.4, -0.4, -0.7, -1.0, -1.0])
    torch.testing.assert_close(apply_curves(image, curve).flatten(), expected)


def test_curves_differ_and_keep_what_gives_no_signal():
    ranks = sample_ranks(np.random.default_rng(0), 10)
    assert np.all(ranks[..., 0] == 0) and np.all(ranks[:, :, 0, -1] == 1)
    assert np.all(np.diff(ranks[:, :, 0]) >= 0)
    values = ranks[:, :, 1, 1:].reshape(-1, KNOTS - 1)
    assert np.allclose(values.mean(axis=0), 0.5, atol=0.02)
    assert np.allclose(values.std(axis=0), np.sqrt(1 / 12), atol=0.02)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_chosen_curve_makes_the_image_most_like_its_source(seed):
    rng = np.random.default_rng(seed)
    images, sources = rng.uniform(-1, 1, (2, 2, 1, 8, 8, 8))  # as many voxels as are compared
    sources = sources**3
    ranks = sample_ranks(rng, 2)[:, :8]
    chosen = most_alike(*map(torch.from_numpy, (ranks, images, sources))).numpy()
    for image, source, candidates, curve in zip(images[:, 0], sources[:, 0], ranks, chosen, strict=True):
        places = np.round(candidates * (image.size - 1)).astype(int)
        curves = [np.stack([np.sort(image.ravel())[x], np.sort(source.ravel())[y]]) for x, y in places]
        spread = maximum_filter(source, 3) - minimum_filter(source, 3)
        distances = []
        for candidate in [*curves, curve]:
            mapped, mapped_spread = through_curve(image, candidate)
            distances.append(
                wasserstein_distance(mapped.ravel(), source.ravel())
                + wasserstein_distance(mapped_spread.ravel(), spread.ravel())
            )
        assert any(np.array_equal(curve, np.float32(candidate)) for candidate in curves)
        assert distances[-1] <= min(distances) + 1e-3  # voxels on two knots at once may take either's value


def test_curves_are_chosen_and_applied_on_the_device():
    with fake_cuda():
        images = torch.rand(2, 1, 4, 4, 4)
        curves = most_alike(torch.rand(2, 3, 2, KNOTS), images, images)
        assert apply_curves(images, curves).device.type == "cuda" and curves.shape == (2, 2, KNOTS)
