"""The losses against their written-out formulas."""

import numpy as np
import torch
import torch.nn.functional as F
from fake_cuda import fake_cuda

from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.content_encoder import ContentEncoder
from intrastyler_nnunet.objective.adversarial import discriminator_loss, generator_loss
from intrastyler_nnunet.objective.patch_nce import (
    PatchProjector,
    gather_places,
    layer_channels,
    patch_nce,
    sample_places,
)
from intrastyler_nnunet.objective.style import style_consistency, style_contrast

NCE_LAYERS = (0, 4, 8, 12, 16)


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = rng.normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_style_contrast_is_equation_1():
    rng = np.random.default_rng(0)
    v, positive, negatives, tau = unit(rng, 3, 16), unit(rng, 3, 16), unit(rng, 3, 8, 16), 0.1
    match = np.exp((v * positive).sum(1) / tau)
    others = np.exp(np.einsum("bk,bnk->bn", v, negatives) / tau).sum(1)
    expected = -np.log(match / (match + others)).mean()
    loss = style_contrast(*map(torch.from_numpy, (v, positive, negatives)), temperature=tau)
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-5)


def test_style_contrast_teaches_the_encoder_from_every_side():
    vectors = [
        torch.randn(2, 8).requires_grad_(),
        torch.randn(2, 8).requires_grad_(),
        torch.randn(2, 4, 8).requires_grad_(),
    ]
    style_contrast(*(F.normalize(v, dim=-1) for v in vectors), temperature=1.0).backward()
    assert all(v.grad.abs().sum() > 0 for v in vectors)


def test_style_consistency_is_minus_the_cosine():
    a, b = torch.randn(4, 16), torch.randn(4, 16)
    loss = style_consistency(F.normalize(a, dim=1), F.normalize(b, dim=1))
    torch.testing.assert_close(loss, -F.cosine_similarity(a, b).mean())


def test_patch_nce_is_its_formula_and_keys_get_no_gradient():
    rng = np.random.default_rng(1)
    query, key = unit(rng, 2, 5, 8), unit(rng, 2, 5, 8)
    similarity = np.exp(np.einsum("bpk,bqk->bpq", query, key) / 0.07)
    expected = -np.log(np.einsum("bpp->bp", similarity) / similarity.sum(2)).mean()
    query, key = torch.from_numpy(query).requires_grad_(), torch.from_numpy(key).requires_grad_()
    loss = patch_nce([query, query], [key, key])
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-6)
    loss.backward()
    assert key.grad is None
    assert query.grad.abs().sum() > 0


def test_adversarial_losses_vanish_for_the_scores_they_ask_for():
    real, fake = torch.full((1, 1, 4, 4, 2), 1.0), torch.zeros(1, 1, 4, 4, 2)
    assert discriminator_loss(real, fake) == 0
    assert generator_loss(real) == 0
    assert discriminator_loss(fake, real) == 1
    assert generator_loss(fake) == 1


def test_layers_have_the_channels_the_projector_expects():
    config = GeneratorConfig(width=4, residual_blocks=5)
    image = torch.rand(1, 1, 16, 16, 8)
    _, features = ContentEncoder(config)(image, NCE_LAYERS)
    assert [f.shape[1] for f in features] == [layer_channels(config, layer) for layer in NCE_LAYERS]
    places = sample_places(features, 32)
    samples = gather_places(features, places)
    # layer 0 is the padded input: its first place is a voxel of the image reflected by three
    padded = F.pad(image, (3,) * 6, mode="reflect")
    torch.testing.assert_close(samples[0][0, :, 0], padded.flatten()[places[0][0]])


def test_patch_nce_runs_on_a_cuda_device():
    config = GeneratorConfig(width=4, residual_blocks=5)
    with fake_cuda(autocast=torch.float16):
        encoder, projector = ContentEncoder(config), PatchProjector(config, NCE_LAYERS)
        _, features = encoder(torch.rand(2, 1, 16, 16, 8), NCE_LAYERS)
        vectors = projector(gather_places(features, sample_places(features, 32)))
        loss = patch_nce(vectors, vectors)
        assert loss.device.type == "cuda"
        assert all(v.dtype == torch.float32 for v in vectors)
