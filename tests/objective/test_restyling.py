"""Random contrasts against SciPy's neighbourhoods, NumPy's interpolation and SciPy's Wasserstein distance."""

from dataclasses import replace

import numpy as np
import torch
from contrast_curves import neighbours, through_curve
from fake_cuda import fake_cuda
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from intrastyler_nnunet.objective.restyling import KNOTS, RandomCurves, apply_curves, most_alike, sample_curves


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
    random = sample_curves(np.random.default_rng(0), 10)
    changed = random.ranks[:, None, : random.changes.shape[2]] + random.changes
    for ranks in (random.ranks, changed):
        assert np.all(ranks[..., 0] == 0)
        assert np.all(ranks[..., 0, -1] == 1)
    values = random.ranks[:, :, 1, 1:].reshape(-1, KNOTS - 1)
    assert np.allclose(values.mean(axis=0), 0.5, atol=0.02)
    assert np.allclose(values.std(axis=0), np.sqrt(1 / 12), atol=0.02)
    sizes = random.changes[..., 1, 1:].std(axis=(0, 2, 3))
    assert np.allclose(sizes, [0.2, 0.15, 0.1, 0.05], rtol=0.05)


def distance(image: np.ndarray, source: np.ndarray, curve: np.ndarray) -> float:
    pairs = zip(through_curve(image, curve)[1], neighbours(source), strict=True)
    return sum(wasserstein_distance(found.ravel(), wanted.ravel()) for found, wanted in pairs)


def images_and_sources(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two of each, with as many voxels as are compared."""
    images, sources = np.random.default_rng(seed).uniform(-1, 1, (2, 2, 1, 8, 8, 8))
    return images, sources**3


@given(seed=st.integers(0, 2**32 - 1))
def test_the_chosen_curve_makes_the_image_most_like_its_source(seed):
    images, sources = images_and_sources(seed)
    random = sample_curves(np.random.default_rng(seed), 2)
    few = RandomCurves(random.ranks[:, :8], random.changes[:, :0])
    # Knots that differ: of two at one place, a voxel there may take either's value.
    few.ranks[:, :, 0, 1:] = (np.arange(1, KNOTS) + 0.9 * few.ranks[:, :, 0, 1:]) / KNOTS
    chosen = most_alike(few, *map(torch.from_numpy, (images, sources))).numpy()
    for image, source, candidates, curve in zip(images[:, 0], sources[:, 0], few.ranks, chosen, strict=True):
        curves = []
        for places, values in np.round(candidates * (image.size - 1)).astype(int):
            curves.append(np.stack([np.sort(image.ravel())[np.sort(places)], np.sort(source.ravel())[values]]))
        assert any(np.array_equal(curve, np.float32(candidate)) for candidate in curves)
        distances = [distance(image, source, candidate) for candidate in curves]
        assert distance(image, source, curve) <= min(distances) + 1e-5


def test_changing_the_best_curves_finds_better_ones():
    before, after = [], []
    for seed in range(10):
        images, sources = images_and_sources(seed)
        random = sample_curves(np.random.default_rng(seed), 2)
        for distances, changes in ((before, random.changes[:, :0]), (after, random.changes)):
            curves = most_alike(replace(random, changes=changes), *map(torch.from_numpy, (images, sources))).numpy()
            assert np.all(np.diff(curves[:, 0]) >= 0)
            distances += [distance(*each) for each in zip(images[:, 0], sources[:, 0], curves, strict=True)]
    assert all(np.array(after) <= np.array(before) + 1e-3)
    assert np.mean(after) < 0.9 * np.mean(before)


def test_curves_are_chosen_and_applied_on_the_device():
    random = sample_curves(np.random.default_rng(0), 2)
    with fake_cuda():
        images = torch.rand(2, 1, 4, 4, 4)
        curves = most_alike(random, images, images)
        assert apply_curves(images, curves).device.type == "cuda"
        assert curves.shape == (2, 2, KNOTS)
