"""Resampling and reflection against PyTorch's padding, their gradients against finite differences; the layout."""

import pytest
import torch
import torch.nn.functional as F

from intrastyler_nnunet.model.config import PRESETS
from intrastyler_nnunet.model.discriminator import Discriminator
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.resampling import Reflected, doubled, halved

OUTER, INNER = 0.3, 0.4


def features(length: int) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 3, 4, length, 5, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("length", [2, 3, 6, 7])
def test_halving_is_reflection_smoothing_and_leaving_out(length):
    x = features(length)
    padded = F.pad(x, (0, 0, 1, 1, 0, 0), mode="reflect")
    smooth = INNER * padded[..., 1:-1, :] + OUTER * (padded[..., :-2, :] + padded[..., 2:, :])
    torch.testing.assert_close(halved(x, 3, OUTER, INNER), smooth[..., ::2, :])
    assert torch.autograd.gradcheck(lambda x: halved(x, 3, OUTER, INNER), (x,))


@pytest.mark.parametrize("length", [1, 2, 5])
def test_doubling_is_replication_and_interpolation(length):
    x = features(length)
    padded = F.pad(x, (0, 0, 1, 1, 0, 0), mode="replicate")
    halves = (INNER * x + OUTER * padded[..., :-2, :], INNER * x + OUTER * padded[..., 2:, :])
    torch.testing.assert_close(doubled(x, 3, OUTER, INNER), torch.stack(halves, dim=4).flatten(3, 4))
    assert torch.autograd.gradcheck(lambda x: doubled(x, 3, OUTER, INNER), (x,))


@pytest.mark.parametrize("amounts", [(1, 1, 1), (3, 2, 0)])
def test_reflection_is_pytorchs(amounts):
    x = features(4)
    a, b, c = amounts
    torch.testing.assert_close(Reflected.apply(x, amounts), F.pad(x, (c, c, b, b, a, a), mode="reflect"))
    assert torch.autograd.gradcheck(lambda x: Reflected.apply(x, amounts), (x,))


@pytest.mark.parametrize(
    "change", [lambda x: halved(x, 4, OUTER, INNER), lambda x: doubled(x, 2, OUTER, INNER),
               lambda x: Reflected.apply(x, (1, 1, 1))],
)  # fmt: skip
def test_channels_last_features_and_their_gradients_stay_so(change):
    x = features(4).detach().contiguous(memory_format=torch.channels_last_3d).requires_grad_()
    out = change(x)
    assert out.is_contiguous(memory_format=torch.channels_last_3d)
    (gradient,) = torch.autograd.grad(out, x, torch.ones_like(out))
    assert gradient.stride(1) == 1


@pytest.mark.parametrize("name", ["mini", "light"])
def test_checkpointing_changes_no_gradient_by_a_bit(name):
    torch.manual_seed(0)
    config, discriminator_config = PRESETS[name]
    networks = torch.nn.ModuleList([Generator(config), Discriminator(discriminator_config)])
    image = torch.rand(2, 1, 16, 16, 8)
    gradients = []
    for checkpointing in (False, True):
        for module in networks.modules():
            if hasattr(module, "checkpointing"):
                module.checkpointing = checkpointing
        networks.zero_grad()
        generator, discriminator = networks
        style = generator.encode_style(image)
        output, collected = generator.translate(image, style, (0, 4, 8, 12))
        judged = generator.encode_style(output, fixed=True)
        loss = (
            discriminator(output).square().mean() + sum(f.square().mean() for f in collected) - (judged * style).sum()
        )
        loss.backward()
        gradients.append([parameter.grad.clone() for parameter in networks.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))
    assert min(gradient.abs().max() for gradient in gradients[0]) > 0


def test_a_fixed_style_encoder_learns_nothing_from_its_verdict():
    generator = Generator(PRESETS["mini"][0])
    generator.style_encoder.checkpointing = True
    image = torch.rand(1, 1, 16, 16, 8, requires_grad=True)
    generator.encode_style(image, fixed=True).sum().backward()
    assert image.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in generator.parameters())
