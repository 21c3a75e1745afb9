"""The training loop of the synthesizer."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.losses.patch_nce import PatchProjector
from intrastyler_nnunet.networks.anatomy import ContentHead, LightSegmenter
from intrastyler_nnunet.networks.config import preset
from intrastyler_nnunet.networks.discriminator import Discriminator
from intrastyler_nnunet.networks.generator import Generator
from intrastyler_nnunet.networks.label_hint import apply_label_hint
from intrastyler_nnunet.networks.metadata import GeneratorMetadata
from intrastyler_nnunet.synthesis.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from intrastyler_nnunet.synthesis.config import PretrainingConfig
from intrastyler_nnunet.synthesis.panel import save_panel
from intrastyler_nnunet.synthesis.patches import PreprocessedCases, batch_of, sample_patches
from intrastyler_nnunet.synthesis.step import (
    Networks,
    discriminator_step,
    generator_step,
    sample_plan,
    style_step,
)

PANEL_SOURCES, PANEL_EXEMPLARS = 3, 6


def pretrain(
    source: PreprocessedCases, target: PreprocessedCases, config: PretrainingConfig, metadata: GeneratorMetadata,
    folder: Path, device: torch.device,
) -> Path:  # fmt: skip
    """Train a synthesizer, or go on with the run that `folder` holds; returns the path of the generator.

    Writes `config.json`, `stats.jsonl`, `checkpoint.pt`, `panel_*.png` and `generator.safetensors` to `folder`.
    """
    state = initial_state(config, metadata, device)
    load_checkpoint(state, config, folder)
    write_json(config.to_dict(), folder / "config.json")
    started, resumed_at = time.time(), state.iteration
    progress = tqdm(total=config.iterations, initial=state.iteration, unit="step", desc="pretraining")
    with (folder / "stats.jsonl").open("a") as stats:
        for terms in training_steps(state, source, target, config, metadata, device):
            progress.update()
            if state.iteration % 10 == 0:
                values = {name: round(float(term), 4) for name, term in terms.items()}
                progress.set_postfix(values)
                stats.write(json.dumps({"iteration": state.iteration, **values}) + "\n")
                stats.flush()
            if state.iteration % config.checkpoint_every == 0 or state.iteration == config.iterations:
                save_checkpoint(state, config, folder)
            if state.iteration % config.panel_every == 0:
                draw_panel(state.average, source, target, config, folder / f"panel_{state.iteration:07d}.png", device)
    progress.close()
    steps = state.iteration - resumed_at
    print(f"{steps} steps in {time.time() - started:.0f} s; generator in {folder}")
    path = folder / "generator.safetensors"
    state.average.save(path)
    return path


def initial_state(config: PretrainingConfig, metadata: GeneratorMetadata, device: torch.device) -> TrainingState:
    """Untrained networks (normal weights of deviation 0.02, as CUT) and their optimizers."""
    torch.manual_seed(config.seed)
    generator_config, discriminator_config = preset(config.preset)
    with device:
        networks = Networks(
            Generator(generator_config, metadata),
            PatchProjector(generator_config, config.nce_layers),
            Discriminator(discriminator_config),
        )
        if config.lambda_segmentation:
            networks.content_head = ContentHead(networks.generator.content_encoder.out_channels, config.classes)
            networks.segmenter = LightSegmenter(config.classes)
        average = Generator(generator_config, metadata).requires_grad_(False)
    for module in networks.modules().values():
        module.apply(_initialise)
    average.load_state_dict(networks.generator.state_dict())
    generator = networks.generator
    own_rates = {id(p) for module in (generator.style_encoder, networks.discriminator) for p in module.parameters()}
    synthesis = [
        p for module in networks.modules().values() for p in module.parameters() if id(p) not in own_rates
    ]  # fmt: skip
    options = {"lr": config.learning_rate, "betas": config.betas}
    style_options = {"lr": config.style_learning_rate, "betas": config.style_betas}
    groups = [{"params": synthesis} | options, {"params": [*generator.style_encoder.parameters()]} | style_options]
    return TrainingState(
        networks, average,
        generator_optimizer=torch.optim.Adam(groups),
        discriminator_optimizer=torch.optim.Adam(networks.discriminator.parameters(), **options),
    )  # fmt: skip


def training_steps(
    state: TrainingState, source: PreprocessedCases, target: PreprocessedCases, config: PretrainingConfig,
    metadata: GeneratorMetadata, device: torch.device,
) -> Iterator[dict[str, torch.Tensor]]:  # fmt: skip
    """Train until `config.iterations`; after each step yield its loss terms."""
    while state.iteration < config.iterations:
        # Seeded per iteration, so that a resumed run draws what the uninterrupted one would have drawn.
        rng = np.random.default_rng([config.seed, 0, state.iteration])
        torch.manual_seed(int(rng.integers(2**62)))
        samples = [
            sample_patches(rng, source, target, config.patch_size, config.style_patch_size)
            for _ in range(config.batch_size)
        ]
        plan = sample_plan(rng, config, metadata.axes, metadata.spacing)
        batch = batch_of(samples, device)
        if state.iteration == 0:
            centre_styles(state.networks.generator, batch.target)
        step = warm_up_step if state.iteration < config.style_warmup else training_step
        terms = step(state, batch, plan, config)
        state.iteration += 1
        yield terms


@torch.no_grad()
def centre_styles(generator: Generator, images: torch.Tensor) -> None:
    """Shift the untrained style encoder so that `images` map to the origin, before normalisation.

    Pooled features of random convolutions are nearly the same for all images; that common part would make all style
    vectors parallel and their contrast, at a temperature of 0.01, slow to learn.
    """
    encoder = generator.style_encoder
    pooled = encoder.layers(images).mean(dim=(0, 2, 3, 4), keepdim=True)
    encoder.to_style.bias.copy_(-(encoder.to_style.weight.flatten(1) @ pooled.flatten()))


def warm_up_step(state: TrainingState, batch, plan, config: PretrainingConfig) -> dict[str, torch.Tensor]:
    """One update of the style encoder alone."""
    loss = style_step(state.networks.generator, batch, plan, config)
    # Weighted as in the full loss: Adam's memory of the gradients' size must fit what follows.
    _update(state.generator_optimizer, config.lambda_style * loss)
    _update_average(state, config.ema_decay)
    return {"style": loss.detach()}


def training_step(state: TrainingState, batch, plan, config: PretrainingConfig) -> dict[str, torch.Tensor]:
    """One update of generator, projector and style encoder, then one of the discriminator."""
    _set_learning_rate(state, config)
    networks = state.networks
    networks.discriminator.requires_grad_(False)
    loss, terms, translated = generator_step(networks, batch, plan, config)
    _update(state.generator_optimizer, loss)
    networks.discriminator.requires_grad_(True)
    terms["discriminator"] = discriminator_step(networks.discriminator, batch, translated, config)
    _update(state.discriminator_optimizer, terms["discriminator"])
    _update_average(state, config.ema_decay)
    return {name: term.detach() for name, term in terms.items()}


def learning_rate_factor(progress: float) -> float:
    """1 over the first half of the training, then linearly to 0 (design: linear decay in the second half)."""
    return min(1.0, 2 * (1 - progress))


def _set_learning_rate(state: TrainingState, config: PretrainingConfig) -> None:
    progress = (state.iteration - config.style_warmup) / (config.iterations - config.style_warmup)
    factor = learning_rate_factor(progress)
    synthesis, style = state.generator_optimizer.param_groups
    synthesis["lr"] = state.discriminator_optimizer.param_groups[0]["lr"] = config.learning_rate * factor
    style["lr"] = config.style_learning_rate * factor


def _update(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


@torch.no_grad()
def _update_average(state: TrainingState, decay: float) -> None:
    # Early on the average follows faster, so that it does not remember the initial weights.
    decay = min(decay, (1 + state.iteration) / (10 + state.iteration))
    averages, currents = state.average.parameters(), state.networks.generator.parameters()
    torch._foreach_lerp_(list(averages), [p.detach() for p in currents], 1 - decay)


def _initialise(module: torch.nn.Module) -> None:
    if isinstance(module, torch.nn.Conv3d | torch.nn.Linear):
        torch.nn.init.normal_(module.weight, 0.0, 0.02)
        torch.nn.init.zeros_(module.bias)


@torch.no_grad()
def draw_panel(
    generator: Generator, source: PreprocessedCases, target: PreprocessedCases, config: PretrainingConfig,
    path: Path, device: torch.device,
) -> None:  # fmt: skip
    """The fixed panel: central patches of evenly spaced sources and exemplars."""
    sources, inputs = [], []
    for name in _evenly(source.names, PANEL_SOURCES):
        image, labels = _central_patch(source, name, config.patch_size)
        sources.append(image)
        hint = config.label_hint
        inputs.append(image if hint is None else apply_label_hint(image, labels, hint))
    exemplars = [_central_patch(target, name, config.patch_size)[0] for name in _evenly(target.names, PANEL_EXEMPLARS)]
    styles = [generator.encode_style(exemplar.to(device)) for exemplar in exemplars]
    translations = [[generator(image.to(device), style).cpu() for style in styles] for image in inputs]
    save_panel(sources, exemplars, translations, path)


def _central_patch(cases: PreprocessedCases, name: str, size: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    start = [(extent - length) // 2 for extent, length in zip(cases.shapes[name], size, strict=True)]
    return cases.patch(name, np.array(start), size)


def _evenly(names: list[str], count: int) -> list[str]:
    return [names[int(i)] for i in np.linspace(0, len(names) - 1, min(count, len(names)))]
