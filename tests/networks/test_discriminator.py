"""The discriminator with and without the style as its second input."""

import pytest
import torch

from intrastyler_nnunet.networks.config import DiscriminatorConfig
from intrastyler_nnunet.networks.discriminator import Discriminator


def test_without_style_it_is_the_patch_gan_of_the_paper():
    discriminator = Discriminator(DiscriminatorConfig(width=4))
    image, styles = torch.rand(1, 1, 32, 32, 8), torch.randn(2, 6)
    scores = [discriminator(image, style[None]) for style in styles]
    assert torch.equal(*scores)
    assert discriminator.style_to_weights is None


def test_the_style_term_is_linear_in_the_style():
    torch.manual_seed(0)
    discriminator = Discriminator(DiscriminatorConfig(width=4), style_dim=6)
    image, first, second = torch.rand(1, 1, 32, 32, 8), torch.randn(1, 6), torch.randn(1, 6)
    none, a, b, both = (
        discriminator(image, style) for style in (torch.zeros(1, 6), first, second, first + second)
    )
    torch.testing.assert_close(both - none, (a - none) + (b - none))
    assert (a - b).abs().max() > 1e-4


def test_spectral_normalisation_bounds_every_singular_value():
    torch.manual_seed(0)
    discriminator = Discriminator(DiscriminatorConfig(width=4, levels=2), style_dim=6)
    discriminator.normalise_spectrally()
    for _ in range(50):  # power iterations
        discriminator(torch.rand(1, 1, 16, 16, 8), torch.randn(1, 6))
    convolutions = [layer for layer in discriminator.layers if isinstance(layer, torch.nn.Conv3d)]
    assert len(convolutions) == 3
    for layer in convolutions:
        assert float(torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)) == pytest.approx(1, abs=0.02)


def test_with_the_style_it_sees_contrast():
    """Without instance norms, features of half an image are half the image's."""
    torch.manual_seed(0)
    discriminator = Discriminator(DiscriminatorConfig(width=4), style_dim=6)
    for name, parameter in discriminator.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.zeros_(parameter)
    image = torch.rand(1, 1, 32, 32, 8)
    torch.testing.assert_close(discriminator.layers(image / 2), discriminator.layers(image) / 2)
