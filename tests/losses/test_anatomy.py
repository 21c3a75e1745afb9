"""Anatomy terms against SciPy and MONAI."""

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss
from scipy.ndimage import sobel

from intrastyler_nnunet.losses.anatomy import EPSILON, edge_consistency, segmentation_loss, sobel_strength


@pytest.fixture
def image():
    return torch.rand(1, 1, 9, 10, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_edge_strength_is_scipys(image):
    volume = image[0, 0].double().numpy()
    gradient = [sobel(volume, axis, mode="nearest") / 32 for axis in range(3)]  # SciPy's weights sum to 2 * 4 * 4
    expected = np.sqrt(np.sum(np.square(gradient), axis=0) + EPSILON)
    np.testing.assert_allclose(sobel_strength(image)[0, 0].numpy(), expected, atol=1e-5)


def test_edges_may_change_their_height_but_not_their_place(image):
    assert edge_consistency(image, -0.4 * image + 0.1) < 1e-3
    assert edge_consistency(image, image.roll(1, dims=2)) > 0.3


def test_segmentation_term_is_monais_dice_and_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, 6, 4, generator=generator)
    labels = torch.randint(0, 4, (2, 1, 6, 6, 4), generator=generator)
    theirs = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False, batch=True, smooth_nr=0, smooth_dr=0)
    # nnU-Net's Dice term is -Dice, MONAI's 1 - Dice
    torch.testing.assert_close(segmentation_loss()(logits, labels) + 1, theirs(logits, labels), atol=1e-4, rtol=0)
