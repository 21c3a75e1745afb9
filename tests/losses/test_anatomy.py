"""Anatomy terms against SciPy and MONAI."""

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss
from scipy.ndimage import sobel

from benchmarks.simulated_pairs import image_of, tissue_means
from intrastyler_nnunet.losses.anatomy import (
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
    assert edge_consistency(image, -0.4 * image + 0.1) < 1e-3
    assert edge_consistency(image, image.roll(1, dims=2)) > 0.3


def test_segmentation_term_is_monais_dice_and_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, 6, 4, generator=generator)
    labels = torch.randint(0, 4, (2, 1, 6, 6, 4), generator=generator)
    theirs = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False, batch=True, smooth_nr=0, smooth_dr=0)
    # nnU-Net's Dice term is -Dice, MONAI's 1 - Dice
    torch.testing.assert_close(segmentation_loss()(logits, labels) + 1, theirs(logits, labels), atol=1e-4, rtol=0)


def test_fluid_is_to_be_at_three_fifths_of_the_exemplars_range_from_dark_to_bright():
    exemplar = torch.rand(3, 1, 9, 10, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    dark, bright = np.quantile(exemplar.flatten(1).numpy(), [0.05, 0.98], axis=1)
    wanted = dark + 0.6 * (bright - dark)
    fluid = torch.zeros_like(exemplar, dtype=torch.bool)
    fluid[:2, :, 2:4] = True  # the last image has none
    translated = torch.full_like(exemplar, -1.0)
    translated[0, :, 2:4] = 0.9
    translated[1, :, 2] = -0.7
    translated[1, :, 3] = -0.1  # a mean of -0.4
    expected = ((0.9 - wanted[0]) + (wanted[1] + 0.4)) / 3
    np.testing.assert_allclose(fluid_brightness(translated, exemplar, fluid), expected, atol=1e-6)


@pytest.mark.parametrize("site", ["target_a", "target_b", "target_c"])
def test_simulated_cochleae_are_that_bright(site):
    image = image_of(0, 0, site)
    dark, bright = np.quantile(image.volume, [DARK, BRIGHT])
    share = (tissue_means(image.volume, image.anatomy)["cochlea"] - dark) / (bright - dark)
    assert share == pytest.approx(FLUID_SHARE, abs=0.15)
