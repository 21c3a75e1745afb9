"""The pretraining loop on a tiny preprocessed dataset."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from contrast_curves import through_curve
from fake_cuda import fake_cuda
from scipy.ndimage import gaussian_filter
from tiny_pretraining import CONFIG, METADATA, run_on

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.objective.forward_pass import StepPlan, TrainingPatches
from intrastyler_nnunet.objective.perturbations import KINDS, Perturbation, perturb, sample_perturbation
from intrastyler_nnunet.objective.restyling import RandomCurves, most_alike, restyle, sample_curves
from intrastyler_nnunet.objective.step import discriminator_step, generator_step, sample_plan
from intrastyler_nnunet.pretraining.loop import pretrain, training_steps
from intrastyler_nnunet.pretraining.prefetch import sample_patches
from intrastyler_nnunet.pretraining.run import Run, left_right_axis
from intrastyler_nnunet.pretraining.state import initial_state
from intrastyler_nnunet.pretraining.updates import learning_rate_factor, set_learning_rate
from intrastyler_nnunet.styles.bank import style_bank
from intrastyler_nnunet.translation.label_hint import apply_label_hint

SHAPE = (10, 18, 20)
WHOLE = replace(CONFIG, patch_size=SHAPE)
pytestmark = pytest.mark.usefixtures("tiny_preset")


def test_a_patch_is_the_volumes_own_voxels(cases):
    source = cases[0]
    image, labels = source.patch("source_1", np.array([1, 2, 2]), (8, 16, 18))
    data, segmentation = (np.array(a) for a in source.dataset.load_case("source_1")[:2])
    lo, hi = data.min(), np.percentile(data, 99.9)
    expected = np.clip((data[0, 1:9, 2:18, 2:20] - lo) / (hi - lo), 0, 1) * 2 - 1
    np.testing.assert_allclose(image[0, 0].numpy(), expected.transpose(2, 1, 0), atol=1e-5)
    expected = np.maximum(segmentation[0, 1:9, 2:18, 2:20], 0)
    np.testing.assert_array_equal(labels[0, 0].numpy(), expected.transpose(2, 1, 0))


def test_style_patches_come_from_the_exemplar_of_the_target_patch(cases):
    distinct = 0
    for seed in range(10):
        patches = sample_patches(np.random.default_rng(seed), run_on(cases, WHOLE))
        voxels = set(patches.target.flatten().tolist())
        assert set(patches.style_query.flatten().tolist()) <= voxels
        assert set(patches.style_positive.flatten().tolist()) <= voxels
        distinct += not torch.equal(patches.style_query, patches.style_positive)
    assert distinct > 5


@pytest.mark.parametrize(("orientation", "transpose_forward", "axis"), [
    ("LPS", (0, 1, 2), 0), ("RAS", (0, 1, 2), 0), (None, (0, 1, 2), 0), ("PSL", (0, 1, 2), 2), ("PSL", (2, 0, 1), 1),
    ("LPS", (2, 0, 1), 2),
])  # fmt: skip
def test_heads_are_mirrored_from_ear_to_ear(domain_folders, orientation, transpose_forward, axis):
    metadata = replace(METADATA, transpose_forward=transpose_forward)
    # Each voxel of an array (z, y, x) holds its place along the stored axis that runs left to right.
    stored = next(i for i, letter in enumerate(orientation or "LPS") if letter in "LR")
    array = np.indices((3, 4, 5))[2 - stored].transpose(transpose_forward)
    seen = array.transpose(metadata.axes)  # by the generator
    assert left_right_axis(orientation, metadata) == axis
    assert (np.diff(seen, axis=axis) == 1).all()
    cases = [PreprocessedCases(folder, METADATA.axes, left_right=axis) for folder in domain_folders]
    patches = [sample_patches(np.random.default_rng(seed), run_on(cases, WHOLE)) for seed in range(12)]
    wholes = [cases[0].patch(name, np.zeros(3), SHAPE) for name in cases[0].names]
    mirrored = {
        flip for p in patches for image, labels in wholes for flip in (False, True)
        if torch.equal(p.source, image.flip(2 + axis) if flip else image)
        and torch.equal(p.source_labels, labels.flip(2 + axis) if flip else labels)
    }  # fmt: skip
    assert mirrored == {False, True}


def test_half_precision_gives_nearly_the_same_losses_and_gradients(cases):
    # Not bfloat16: on CPUs with AMX, oneDNN's convolutions of very small images give other results every time.
    results, tolerance = [], 0.01
    for config in (CONFIG, replace(CONFIG, precision="float16")):
        config = replace(config, style_warmup=0)
        state = initial_state(config, METADATA, torch.device("cpu"))
        state.scaler = torch.amp.GradScaler("cpu", init_scale=128, enabled=config.precision == "float16")
        terms, _ = next(training_steps(state, run_on(cases, config), torch.device("cpu")))
        assert state.skipped == 0
        assert all(value.dtype == torch.float32 for value in terms.values())
        parameters = list(state.networks.generator.parameters())
        assert {parameter.dtype for parameter in parameters} == {torch.float32}
        gradients = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        results.append((torch.stack(list(terms.values())), gradients))
    (terms, gradients), (half_terms, half_gradients) = results
    torch.testing.assert_close(half_terms, terms, rtol=tolerance, atol=tolerance)
    assert float(torch.cosine_similarity(half_gradients, gradients, dim=0)) > 1 - tolerance
    assert float(half_gradients.norm() / gradients.norm()) == pytest.approx(1, abs=tolerance)


@pytest.mark.parametrize(("method", "codes"), [
    ("unified", {"target_0": (1.0, 0.0), "target_1": (0.0, 1.0)}),
    ("nodiverse", {"target_0": (1.0,), "target_1": (1.0,)}),
    ("nodiverse", {"target_1": (1.0,)}),
])  # fmt: skip
def test_competitors_train_without_a_style_encoder(domain_folders, tmp_path, method, codes):
    metadata = replace(METADATA, method=method, codes=codes)
    source, target = (PreprocessedCases(domain_folders[i], METADATA.axes, c) for i, c in ((0, None), (1, codes)))
    assert target.names == sorted(codes)
    config = replace(CONFIG, method=method, style_warmup=0, iterations=2)
    path = pretrain(Run(source, target, config, metadata, tmp_path), torch.device("cpu"))
    generator = Generator.load(path)
    assert generator.style_encoder is None
    assert generator.metadata.codes == codes
    bank = style_bank(generator, path, domain_folders[1], (8, 12, 12), tmp_path / "bank.safetensors")
    assert dict(zip(bank.names, map(tuple, bank.vectors.tolist()), strict=True)) == codes
    image = torch.rand(1, 1, 16, 16, 8) * 2 - 1
    outputs = [generator(image, vector[None]) for vector in bank.vectors.unique(dim=0)]
    assert len(outputs) == 1 or not torch.equal(*outputs)


def test_non_finite_gradients_are_skipped_counted_and_finally_stop_the_run(cases):
    long = replace(CONFIG, iterations=50)
    state = initial_state(long, METADATA, torch.device("cpu"))
    with torch.no_grad():
        state.networks.generator.decoder.to_image.bias.fill_(float("nan"))
    before = state.networks.generator.decoder.to_image.weight.clone()
    steps = training_steps(state, run_on(cases, long), torch.device("cpu"))
    next(steps), next(steps)
    assert state.skipped == 1
    assert torch.equal(before, state.networks.generator.decoder.to_image.weight)
    with pytest.raises(InputError, match="non-finite gradients in 21 steps"):
        list(steps)


def test_every_network_learns(cases):
    state = initial_state(CONFIG, METADATA, torch.device("cpu"))
    before = {
        f"{name}.{key}": value.clone()
        for name, module in state.networks.modules().items() for key, value in module.named_parameters()
    }  # fmt: skip
    next(training_steps(state, run_on(cases, replace(CONFIG, style_warmup=0)), torch.device("cpu")))
    after = {f"{name}.{key}": value for name, module in state.networks.modules().items()
             for key, value in module.named_parameters()}  # fmt: skip
    unchanged = [name for name in before if torch.equal(before[name], after[name]) and name.endswith("weight")]
    assert unchanged == []


def test_the_anatomy_terms_train_their_networks_too(cases):
    terms = {f"lambda_{name}": 0.5 for name in ("content", "segmentation", "edge", "fluid")}
    config = replace(CONFIG, style_warmup=0, classes=4, instance_noise=0.1, fluid_labels=(3,), **terms)
    state = initial_state(config, METADATA, torch.device("cpu"))
    networks = state.networks.of_terms
    before = {name: weight.clone() for network in networks.values() for name, weight in network.named_parameters()}
    found, _ = next(training_steps(state, run_on(cases, config), torch.device("cpu")))
    assert {"content", "segmentation", "edge", "fluid"} <= set(found)
    after = {name: weight for network in networks.values() for name, weight in network.named_parameters()}
    assert all(not torch.equal(before[name], after[name]) for name in before if name.endswith("weight"))


def test_the_content_head_sees_a_structure_where_it_is_whatever_the_size_of_the_patch():
    """Logits of a step in the content lie where the padded image has it, to half a place of the content."""
    config = replace(CONFIG, lambda_content=0.5)
    networks = initial_state(config, METADATA, torch.device("cpu")).networks
    head = networks.of_terms["content_head"]
    convolutions = [layer for layer in head.layers if isinstance(layer, torch.nn.Conv3d)]
    for layer in convolutions:
        torch.nn.init.constant_(layer.weight, 1 / layer.weight[0].numel()), torch.nn.init.zeros_(layer.bias)
    x = networks.generator.pad_to_stride(torch.zeros(1, 1, 18, 16, 8)).shape[2]  # 20
    content = torch.zeros(1, convolutions[0].in_channels, x // 4, 4, 2)
    content[:, :, 3:] = 1  # from voxel 12 on
    with torch.no_grad():
        profile = head(content)[0, 0, 2:-2, 8, 4]
    assert profile.diff().argmax() + 2 in (10, 11, 12)
    assert head(content).shape[2:] == (20, 16, 8)


@pytest.fixture
def restyling(cases):
    """Networks and batch, and a function that makes the plan of a step with a kind of perturbation."""
    config = replace(CONFIG, lambda_restyling=10.0)
    networks = initial_state(config, METADATA, torch.device("cpu")).networks
    batch = sample_patches(np.random.default_rng(0), run_on(cases, config))

    def plan_with(kind: str) -> StepPlan:
        plan = sample_plan(np.random.default_rng(0), config, METADATA.axes, 0)
        perturbation = sample_perturbation(np.random.default_rng(1), config.negatives, kind)
        return replace(plan, perturbation=perturbation)

    return networks, batch, config, plan_with


def recoloured(batch, source, plan) -> torch.Tensor:
    curve = most_alike(plan.curves, batch.target, source)[0].numpy()
    return torch.from_numpy(through_curve(batch.target[0, 0].numpy(), curve)[0]).float()[None, None]


def test_restyling_asks_for_the_exemplar_as_its_first_negative_is(restyling):
    networks, batch, config, plan_with = restyling
    plan, losses = plan_with("contrast"), []
    for weight in (5.0, 10.0):
        torch.manual_seed(0)  # for the places that PatchNCE compares
        weights = plan.weights | {"restyling": weight}
        loss, terms, _ = generator_step(networks, batch, replace(plan, weights=weights), config)
        losses.append(loss.item())
    gamma = np.exp(plan.perturbation.log_gamma[0])
    wanted, negative = (((x + 1) / 2) ** gamma * 2 - 1 for x in (batch.target, batch.style_positive))
    source = apply_label_hint(batch.source, batch.source_window, batch.source_labels, config.label_hint)
    restyled = networks.generator(recoloured(batch, source, plan), networks.generator.encode_style(negative))
    assert float(terms["restyling"]) == pytest.approx((restyled - wanted).abs().mean().item(), rel=1e-4)
    assert losses[1] - losses[0] == pytest.approx(5 * float(terms["restyling"]), rel=1e-4)


def test_without_style_contrast_restyling_asks_for_the_same_and_trains_the_style_encoder(restyling):
    networks, batch, config, plan_with = restyling
    config = replace(config, style_warmup=0)
    plan, terms = plan_with("contrast"), {}
    for weight in (5.0, 0.0):
        terms[weight] = generator_step(networks, batch, plan, replace(config, lambda_style=weight))[1]["restyling"]
    torch.testing.assert_close(terms[0.0], terms[5.0])
    plan = replace(plan, weights=dict.fromkeys(plan.weights, 0.0) | {"restyling": 1.0})
    generator_step(networks, batch, plan, replace(config, lambda_style=0.0))[0].backward()
    assert networks.generator.style_encoder.to_style.weight.grad.abs().sum() > 0


def test_restyling_takes_noise_away_and_leaves_bias_fields_out(restyling):
    """Four images whose first negatives differ in one effect each."""
    _, batch, config, plan_with = restyling
    config = replace(config, batch_size=4)
    images = torch.rand(4, 1, 18, 16, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    batch, plan, count = replace(batch, target=images), plan_with("contrast"), 4 * config.negatives
    first = config.negatives * np.arange(4)
    change = {name: np.zeros((count, *values.shape[1:])) for name, values in vars(plan.perturbation).items()}
    change["log_gamma"][first[0]], change["sigma"][first[1]] = 0.5, 0.9
    change["noise"][first[2]], change["bias"][first[3]] = 0.03, 0.4
    change["log_gamma"][first + 1] = -0.7  # of other negatives
    curves = sample_curves(np.random.default_rng(2), 4)
    curves = RandomCurves(curves.ranks[:, :1], curves.changes[:, :0])  # whose knots lie apart
    plan = replace(plan, perturbation=Perturbation(**change), curves=curves)
    styles, other_styles = torch.rand(2, 4, 256)
    given, wanted, in_style = restyle(
        images, images, curves, plan.perturbation.every(config.negatives), styles, other_styles
    )
    torch.testing.assert_close(in_style, torch.cat([other_styles[:2], styles[2:]]))
    torch.testing.assert_close(wanted[0], ((images[0] + 1) / 2) ** np.exp(0.5) * 2 - 1, atol=1e-4, rtol=0)
    smooth = gaussian_filter(images[1, 0].numpy(), 0.9, mode="nearest")
    torch.testing.assert_close(wanted[1, 0], torch.from_numpy(smooth), atol=1e-3, rtol=0)
    torch.testing.assert_close(wanted[2:], images[2:])
    chosen = most_alike(curves, images, images).numpy()
    without = [through_curve(image[0].numpy(), curve)[0][None] for image, curve in zip(images, chosen, strict=True)]
    without = np.stack(without)
    noise = given.numpy() - without
    np.testing.assert_allclose(noise[[0, 1, 3]], 0, atol=1e-5)
    assert noise[2][np.abs(without[2]) < 0.5].std() == pytest.approx(2 * 0.03, rel=0.1)


def test_a_style_that_is_not_learnt_is_the_only_one_restyling_asks_for(restyling):
    _, batch, config, plan_with = restyling
    plan, code = plan_with("contrast"), torch.ones(1, 3)
    change = plan.perturbation.every(config.negatives)
    given, wanted, in_style = restyle(batch.target, batch.source, plan.curves, change, code, code)
    torch.testing.assert_close(given, recoloured(batch, batch.source, plan))
    assert wanted is batch.target
    assert in_style is code


def test_learning_rate_falls_in_the_second_half():
    assert [learning_rate_factor(p, 0.5) for p in (0.0, 0.5, 0.75, 1.0)] == [1.0, 1.0, 0.5, 0.0]


def test_every_group_keeps_its_own_rate_and_the_noise_falls_to_none():
    config = replace(CONFIG, iterations=101, lambda_content=0.5, lambda_segmentation=0.5, classes=4, instance_noise=0.1)
    state = initial_state(config, METADATA, torch.device("cpu"))
    state.iteration = 76  # three quarters after the warm-up of one step
    set_learning_rate(state, config)
    rates = [group["lr"] for group in state.generator_optimizer.param_groups]
    assert rates == [2e-4 / 2, 5e-5 / 2, 2e-3 / 2]
    assert state.discriminator_optimizer.param_groups[0]["lr"] == 2e-4 / 2
    deviations = [
        sample_plan(np.random.default_rng(0), config, METADATA.axes, iteration).instance_noise
        for iteration in (0, 1, 51, 101)
    ]
    assert np.allclose(deviations, [0.1, 0.1, 0.05, 0.0])


ANATOMY_TERMS = {
    "lambda_content": 0.5, "lambda_segmentation": 0.5, "lambda_edge": 1.0, "lambda_fluid": 5.0, "fluid_labels": (3,),
    "classes": 4, "instance_noise": 0.1,
}  # fmt: skip
RESTYLING = {"lambda_restyling": 10.0}
LEVEL = {"label_hint": LabelHint(inverted=(), shifted=(), soft=True, levels=(((1, 2), 0.1), ((3,), -0.5)))}


@pytest.mark.parametrize("changed", [{}, {"attention_layers": (12, 16)}, ANATOMY_TERMS, RESTYLING, LEVEL])
@pytest.mark.parametrize("precision", [None, torch.float16, torch.bfloat16])
def test_the_step_runs_on_a_cuda_device(precision, changed):
    config = replace(CONFIG, **changed)
    plan = sample_plan(np.random.default_rng(0), config, METADATA.axes, 0)
    with fake_cuda(autocast=precision):
        state = initial_state(config, METADATA, torch.device("cuda"))
        patch, style_patch = torch.rand(1, 1, 18, 16, 8), torch.rand(1, 1, 12, 12, 8)
        window, labels = torch.tensor([[-2.0, 4.0]]), torch.zeros_like(patch, dtype=torch.int16)
        batch = TrainingPatches(patch, window, labels, patch, style_patch, style_patch, torch.zeros(1, 0))
        loss, terms, translated = generator_step(state.networks, batch, plan, config)
        discriminator_loss = discriminator_step(state.networks.discriminator, batch, translated, plan)
        assert {t.device.type for t in (loss, discriminator_loss, *terms.values())} == {"cuda"}
        assert {t.dtype for t in (loss, discriminator_loss, *terms.values())} == {torch.float32}


@pytest.mark.parametrize("kind", KINDS)
def test_perturbations_and_restyling_stay_in_float32_on_a_cuda_device(kind):
    config = replace(CONFIG, **RESTYLING)
    plan = sample_plan(np.random.default_rng(0), config, METADATA.axes, 0)
    change = sample_perturbation(np.random.default_rng(0), config.negatives, kind)
    with fake_cuda(autocast=torch.bfloat16):
        patch, styles = torch.rand(1, 1, 18, 16, 8), torch.rand(2, 1, 256)
        results = restyle(patch, patch, plan.curves, change.every(config.negatives), *styles)
        results += (perturb(patch.expand(config.negatives, -1, -1, -1, -1), change),)
        assert {(r.device.type, r.dtype) for r in results} == {("cuda", torch.float32)}


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_captured_networks_train_as_the_others(cases, checkpointing):
    configs = (CONFIG, replace(CONFIG, checkpointing=checkpointing))
    plain, captured = (initial_state(config, METADATA, torch.device("cpu")) for config in configs)
    captured.networks.compile(backend="aot_eager")  # all of torch.compile but the code generation
    found = []
    for state in (plain, captured):
        steps = training_steps(state, run_on(cases, CONFIG), torch.device("cpu"))
        found.append([next(steps)[0] for _ in range(3)])  # the last one after two updates
    # Not the weights: biases before a norm have a gradient of rounding alone, which Adam makes a whole step of.
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-3)
    assert plain.networks.generator.state_dict().keys() == captured.networks.generator.state_dict().keys()
