"""Anatomy terms against SciPy and MONAI."""

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss
from scipy.ndimage import binary_dilation, sobel

from benchmarks.quality.simulated_pairs import image_of
from intrastyler_nnunet.objective.anatomy import (
    BONE_SHARE,
    BRIGHT,
    DARK,
    EPSILON,
    FLUID_SHARE,
    edge_consistency,
    fluid_brightness,
    segmentation_loss,
    sobel_strength,
)  # fmt: skip


@pytest.fixture
def image():
    return torch.rand(1, 1, 9, 10, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_edge_strength_is_scipys(image):
    volume = image[0, 0].double().numpy()
    gradient = [sobel(volume, axis, mode="nearest") / 32 for axis in range(3)]  # SciPy's weights sum to 2 * 4 * 4
    expected = np.sqrt(np.sum(np.square(gradient), axis=0) + EPSILON)
    np.testing.assert_allclose(sobel_strength(image)[0, 0].numpy(), expected, atol=1e-5)


def test_edges_may_change_their_height_but_not_their_place(image):
    labels = torch.zeros_like(image)
    assert edge_consistency(image, -0.4 * image + 0.1, labels, (3,)) < 1e-3
    assert edge_consistency(image, image.roll(1, dims=2), labels, (3,)) > 0.3


def test_edges_near_structures_weigh_more(image):
    labels = torch.zeros_like(image)
    labels[..., 3:5, 3:5, 2] = 1
    labels[..., 6, 6, 4] = 3
    image, other = image.double(), image.roll(1, dims=2).double()
    near = [binary_dilation(labels[0, 0].numpy() > low, np.ones((5, 5, 3))) for low in (0, 1)]
    weights = np.where(near[1], 10, np.where(near[0], 2, 1))
    strengths = [sobel_strength(x)[0, 0].numpy() for x in (image, other)]
    difference = np.abs(np.subtract(*(s / s.mean() for s in strengths)))
    expected = (weights * difference).sum() / weights.sum()
    assert float(edge_consistency(image, other, labels, (3,))) == pytest.approx(expected, rel=1e-5)


def test_segmentation_term_is_monais_dice_and_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, 6, 4, generator=generator)
    labels = torch.randint(0, 4, (2, 1, 6, 6, 4), generator=generator)
    theirs = DiceCELoss(to_onehot_y=True, softmax=True, include_background=True, batch=True, smooth_nr=0, smooth_dr=0)
    torch.testing.assert_close(segmentation_loss(logits, labels), theirs(logits, labels), atol=1e-4, rtol=0)


def beside_cochlea(labels: np.ndarray) -> np.ndarray:
    return binary_dilation(labels == 3, np.ones((3, 3, 1))) & (labels == 0)


def test_fluid_and_the_bone_beside_it_are_to_have_their_shares_of_the_exemplars_range():
    random = torch.Generator().manual_seed(0)
    exemplar, translated = (torch.rand(3, 1, 9, 10, 8, generator=random) * 2 - 1 for _ in range(2))
    labels = torch.zeros(3, 1, 9, 10, 8, dtype=torch.long)
    labels[:2, :, 2:4, 4:6, 3:5] = 3  # the last image has none
    labels[:, :, 4, 4] = 1  # beside it, but no bone
    expected = 0
    for image, other, label in zip(*(images[:2, 0].numpy() for images in (translated, exemplar, labels)), strict=True):
        dark, bright = np.quantile(other, [0.05, 0.98])
        beside = beside_cochlea(label)
        assert beside.sum() == 2 * (4 * 4 - 4 - 1)
        for voxels, share in ((label == 3, 0.55), (beside, 0.15)):
            expected += abs(image[voxels].mean() - dark - share * (bright - dark)) / 3
    np.testing.assert_allclose(fluid_brightness(translated, exemplar, labels == 3, labels == 0), expected, atol=1e-6)


def test_simulated_cochleae_and_the_bone_beside_them_have_these_shares():
    shares = []
    for number, site in enumerate(("target_a", "target_b", "target_m") * 2):
        image = image_of(0, number, site)
        dark, bright = np.quantile(image.volume, [DARK, BRIGHT])
        places = (image.anatomy.labels == 3, beside_cochlea(image.anatomy.labels))
        shares.append([(image.volume[voxels].mean() - dark) / (bright - dark) for voxels in places])
    np.testing.assert_allclose(np.mean(shares, axis=0), [FLUID_SHARE, BONE_SHARE], atol=0.05)
