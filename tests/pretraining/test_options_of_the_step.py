"""Options of the training step: the acquisition model, conditional discriminator, label channels, hard negatives."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fake_cuda import fake_cuda
from scanned_phantoms import phantom
from scipy.ndimage import convolve1d, gaussian_filter
from tiny_pretraining import CONFIG, METADATA, run_on

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import DiscriminatorConfig
from intrastyler_nnunet.model.discriminator import Discriminator
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.objective.forward_pass import ForwardPass, TrainingPatches
from intrastyler_nnunet.objective.perturbations import sample_hard_negatives, sample_perturbation
from intrastyler_nnunet.objective.restyling import restyle, sample_curves, sample_without_shortcuts
from intrastyler_nnunet.objective.step import discriminator_step, generator_step, sample_plan
from intrastyler_nnunet.pretraining.loop import pretrain
from intrastyler_nnunet.pretraining.prefetch import sample_patches
from intrastyler_nnunet.pretraining.state import initial_state
from intrastyler_nnunet.translation.acquisition import Acquisition, measured
from intrastyler_nnunet.translation.streaming import translate_streamed

pytestmark = pytest.mark.usefixtures("tiny_preset")

CPU = torch.device("cpu")
CHANNELS = LabelHint(inverted=(), shifted=(), soft=True, channels=((1, 2), (3,)))
OPTIONS = {
    "acquisition": {"acquisition": True, "instance_noise": 0.1},
    "restyling": {"acquisition": True, "lambda_restyling": 10.0, "restyling_without_shortcuts": True,
                  "restyling_smoothing": 1.0},
    "discriminator": {"conditional_discriminator": True},
    "channels": {"label_hint": CHANNELS, "lambda_restyling": 10.0},
    "negatives": {"hard_negatives": 1.0},
}  # fmt: skip


def forward_of(config, batch: TrainingPatches, seed: int = 0) -> ForwardPass:
    networks = initial_state(config, METADATA, CPU).networks
    return ForwardPass(networks, batch, sample_plan(np.random.default_rng(seed), config, METADATA.axes, 0), config)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_step_runs_on_a_cuda_device(name):
    config = replace(CONFIG, **OPTIONS[name])
    plan = sample_plan(np.random.default_rng(0), config, METADATA.axes, 0)
    with fake_cuda(autocast=torch.float16):
        state = initial_state(config, METADATA, torch.device("cuda"))
        patch, style_patch = torch.rand(1, 1, 18, 16, 8), torch.rand(1, 1, 12, 12, 8)
        window, labels = torch.tensor([[-2.0, 4.0]]), torch.zeros_like(patch, dtype=torch.int16)
        batch = TrainingPatches(patch, window, labels, patch, style_patch, style_patch, torch.zeros(1, 0))
        loss, terms, judged = generator_step(state.networks, batch, plan, config)
        other_loss = discriminator_step(state.networks.discriminator, batch, judged, plan)
        assert {(t.device.type, t.dtype) for t in (loss, other_loss, *terms.values())} == {("cuda", torch.float32)}


@pytest.mark.parametrize("own", [False, True])
def test_all_options_train_and_are_kept_with_the_generator(cases, tmp_path, own):
    options = {name: value for option in OPTIONS.values() for name, value in option.items()} if own else {}
    config = replace(CONFIG, iterations=3, panel_every=3, **options)
    run = run_on(cases, config, tmp_path)
    run = replace(run, metadata=replace(METADATA, acquisition=own, label_hint=config.label_hint))
    generator = Generator.load(pretrain(run, CPU))
    assert generator.metadata.acquisition == own
    assert generator.config.label_channels == (2 if own else 0)
    assert all(weight.isfinite().all() for weight in generator.parameters())


def test_translations_are_judged_with_their_exemplars_noise(cases):
    config = replace(CONFIG, acquisition=True, instance_noise=0.3)
    batch = sample_patches(np.random.default_rng(0), run_on(cases, config))
    exemplars = torch.cat([phantom(1, (0.4,) * 3, 0.03), phantom(2, (0.4,) * 3, 0.1)])
    source = torch.zeros_like(exemplars)
    labels = torch.zeros_like(source, dtype=torch.int16)
    query = exemplars[..., :12, :12, :8]
    batch = TrainingPatches(
        source, batch.source_window.repeat(2, 1), labels, exemplars, query, query, torch.zeros(2, 0)
    )
    forward = forward_of(replace(config, batch_size=2), batch)
    assert forward.plan.instance_noise == 0
    assert torch.equal(forward.shown, forward.acquired)
    found, wanted = (Acquisition.of(measured(x)).noise for x in (forward.judged.images, exemplars))
    np.testing.assert_allclose(found.detach().numpy(), wanted.numpy(), rtol=0.25)
    assert not forward.judged.images.requires_grad
    forward.acquired.sum().backward()
    assert forward.networks.generator.decoder.to_image.bias.grad.abs() > 0


def test_a_discriminator_adds_the_projection_on_the_style():
    torch.manual_seed(0)
    plain = Discriminator(DiscriminatorConfig(width=2, levels=1))
    knowing = Discriminator(DiscriminatorConfig(width=2, levels=1, style_dim=5))
    knowing.load_state_dict(plain.state_dict(), strict=False)
    features = []
    plain.layers[-1].register_forward_pre_hook(lambda _, given: features.append(given[0].detach().numpy()))
    image, style = torch.rand(1, 1, 12, 12, 6), torch.rand(1, 5)
    change = (knowing(image, style) - plain(image)).detach().numpy()
    weight = (knowing.projection(style)).detach().numpy()[0]
    padded = np.pad(np.tensordot(weight, features[0][0], 1), ((2, 2), (2, 2), (1, 1)))
    for x, y, z in ((0, 0, 0), (2, 3, 1), (1, 0, 2)):
        assert change[0, 0, x, y, z] == pytest.approx(padded[x : x + 4, y : y + 4, z : z + 3].mean(), abs=1e-5)


def test_real_images_with_another_style_are_false(cases):
    config = replace(CONFIG, conditional_discriminator=True)
    forward = forward_of(config, sample_patches(np.random.default_rng(0), run_on(cases, config)))
    judged, target, discriminator = forward.judged, forward.batch.target, forward.networks.discriminator
    assert not torch.equal(judged.style, judged.other_style)
    real = (discriminator(target, judged.style) - 1).square().mean()
    false = discriminator(judged.images, judged.style).square().mean()
    mismatched = discriminator(target, judged.other_style).square().mean()
    found = discriminator_step(discriminator, forward.batch, judged, forward.plan)
    torch.testing.assert_close(found, (real + (false + mismatched) / 2) / 2)
    found.backward()
    assert forward.networks.generator.style_encoder.to_style.weight.grad is None


def test_a_discriminator_that_knows_styles_needs_styles():
    with pytest.raises(InputError, match="conditional discriminator without style contrast"):
        replace(CONFIG, conditional_discriminator=True, method="unified", style_warmup=0)


def test_a_negative_has_more_or_less_of_one_of_what_its_query_has():
    shared, negatives = sample_hard_negatives(np.random.default_rng(0), 50, 8)
    noise = negatives.noise.reshape(50, 8) / shared.noise[:, None]
    sigma = negatives.sigma.reshape(50, 8, 3) / shared.sigma[:, None]
    assert not noise[:, 0].any()
    assert not sigma[:, 0].any()
    noise, sigma = noise[:, 1:], sigma[:, 1:, 0]
    assert ((noise == 1) ^ (sigma == 1)).all()
    for factors in (noise[noise != 1], sigma[sigma != 1]):
        assert (factors < 1).mean() == pytest.approx(0.5, abs=0.12)
        assert (np.abs(np.log(factors)) >= np.log(1.3) - 1e-9).all()
        assert factors.max() <= 2
    assert not negatives.bias.any()
    assert not negatives.log_gamma.any()


def test_restyling_without_shortcuts_wants_the_same_whatever_it_gives():
    draws = [sample_without_shortcuts(np.random.default_rng(seed), 8) for seed in range(60)]
    itself = np.concatenate([draw.itself for draw in draws])
    noise = np.concatenate([draw.degradation.noise for draw in draws])
    sigma = np.concatenate([draw.degradation.sigma[:, 0] for draw in draws])
    assert itself.mean() == pytest.approx(0.5, abs=0.07)
    for given in (noise > 0, sigma > 0):
        assert given.mean() == pytest.approx(0.5, abs=0.07)
        assert abs(np.corrcoef(given, itself)[0, 1]) < 0.12

    images = torch.rand(8, 1, 20, 18, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    change = sample_perturbation(np.random.default_rng(1), 8, "smoothing")
    styles, others = torch.zeros(8, 4), torch.ones(8, 4)
    curves, draw = sample_curves(np.random.default_rng(2), 8), draws[0]
    plain = restyle(images, images, curves, change, styles, others)
    given, wanted, style = restyle(images, images, curves, change, styles, others, draw)
    assert (style[:, 0] == torch.from_numpy(~draw.itself)).all()
    torch.testing.assert_close(wanted[draw.itself], images[draw.itself])
    torch.testing.assert_close(wanted[~draw.itself], plain.wanted[~draw.itself])
    quiet = draw.degradation.noise == 0
    for index in np.flatnonzero(quiet):
        smooth = gaussian_filter(plain.given[index, 0].numpy(), draw.degradation.sigma[index], mode="nearest")
        np.testing.assert_allclose(given[index, 0].numpy(), smooth, atol=2e-3)


def test_restylings_are_compared_through_a_gaussian(cases):
    config = replace(CONFIG, lambda_restyling=10.0)
    batch = sample_patches(np.random.default_rng(0), run_on(cases, config))
    smooth = replace(config, restyling_smoothing=1.1)
    forward = forward_of(smooth, batch, seed=3)
    difference = (forward.translation.images[1:] - forward.restyling.wanted).detach()[0, 0].numpy()
    expected = np.abs(gaussian_filter(difference, 1.1, mode="nearest", truncate=4)).mean()
    torch.manual_seed(0)
    terms = generator_step(forward.networks, batch, forward.plan, smooth)[1]
    assert float(terms["restyling"]) == pytest.approx(expected, rel=0.02)


def test_label_channels_are_soft_shares_of_voxels(cases):
    config = replace(CONFIG, label_hint=CHANNELS)
    forward = forward_of(config, sample_patches(np.random.default_rng(0), run_on(cases, config)))
    labels = forward.batch.source_labels[0, 0].numpy()
    for channel, values in enumerate(((1, 2), (3,)), start=1):
        share = np.isin(labels, values).astype(float)
        for axis in range(3):
            share = convolve1d(share, (0.25, 0.5, 0.25), axis=axis, mode="nearest")
        np.testing.assert_allclose(forward.given[0, channel].numpy(), share, atol=1e-5)
    assert torch.equal(forward.given[0, :1], forward.batch.source[0])
    assert not forward.given[1, 1:].any(), "nobody knows the labels of an exemplar"


def test_label_channels_pass_through_files_and_slabs(tmp_path):
    config = replace(CONFIG, label_hint=CHANNELS)
    generator = initial_state(config, METADATA, CPU).networks.generator.eval()
    with torch.no_grad():
        generator.content_encoder.layers[1].weight.normal_(0, 0.3)
    generator.save(tmp_path / "generator.safetensors")
    loaded = Generator.load(tmp_path / "generator.safetensors")
    source, style = torch.rand(1, 3, 24, 16, 8), torch.nn.functional.normalize(torch.rand(1, 256), dim=1)
    with torch.no_grad():
        whole = loaded(source, style)
        (slabs,) = translate_streamed(loaded, source, style, 8)
        other = loaded(torch.cat([source[:, :1], 1 - source[:, 1:]], dim=1), style)
        torch.testing.assert_close(
            loaded(source[:, :1], style), loaded(source * torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1, 1), style)
        )
    torch.testing.assert_close(whole, generator(source, style))
    torch.testing.assert_close(slabs, whole, atol=1e-5, rtol=0)
    assert (other - whole).abs().max() > 1e-3
