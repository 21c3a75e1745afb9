"""The training loop of the synthesizer."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from intrastyler_nnunet.files import write_json, written_atomically
from intrastyler_nnunet.networks.generator import Generator
from intrastyler_nnunet.networks.label_hint import apply_label_hint
from intrastyler_nnunet.networks.metadata import GeneratorMetadata
from intrastyler_nnunet.synthesis.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from intrastyler_nnunet.synthesis.config import PretrainingConfig
from intrastyler_nnunet.synthesis.initial import centre_styles, initial_state
from intrastyler_nnunet.synthesis.loss_plot import plot_losses
from intrastyler_nnunet.synthesis.optimisation import Part, training_step, warm_up_step
from intrastyler_nnunet.synthesis.panel import save_panel
from intrastyler_nnunet.synthesis.patches import PreprocessedCases, batch_of, exemplar_patches, sample_patches
from intrastyler_nnunet.synthesis.ranks import ALONE, Ranks
from intrastyler_nnunet.synthesis.step import sample_plan

PANEL_SOURCES, PANEL_EXEMPLARS = 3, 6


def pretrain(
    source: PreprocessedCases, target: PreprocessedCases, config: PretrainingConfig, metadata: GeneratorMetadata,
    folder: Path, device: torch.device, ranks: Ranks = ALONE,
) -> Path:  # fmt: skip
    """Train a synthesizer, or go on with the run that `folder` holds; returns the path of the generator.

    The first rank writes `config.json`, `stats.jsonl`, `losses.png`, `checkpoint.pt` (and the one before),
    `panel_*.png` and `generator.safetensors` to `folder`.

    Raises:
        InputError: see `load_checkpoint`, `save_checkpoint` and `optimisation`.
    """
    state = initial_state(config, metadata, device)
    load_checkpoint(state, config, folder)
    started, resumed_at = time.time(), state.iteration
    if ranks.first:
        write_json(config.to_dict(), folder / "config.json")
        _forget_after(folder / "stats.jsonl", state.iteration)
    with tqdm(
        total=config.iterations, initial=state.iteration, unit="step", desc="pretraining", disable=not ranks.first
    ) as progress:
        for terms in training_steps(state, source, target, config, metadata, device, ranks):
            progress.update()
            if ranks.first:
                _record(state, terms, config, folder, progress)
                if state.iteration % config.panel_every == 0:
                    panel = folder / f"panel_{state.iteration:07d}.png"
                    draw_panel(state.average, source, target, config, panel, device)
                    plot_losses(folder / "stats.jsonl", folder / "losses.png")
    path = folder / "generator.safetensors"
    if ranks.first:
        print(f"{state.iteration - resumed_at} steps in {time.time() - started:.0f} s; generator in {folder}")
        state.average.save(path)
    return path


def _record(
    state: TrainingState, terms: dict[str, torch.Tensor], config: PretrainingConfig, folder: Path, progress: tqdm
) -> None:
    last = state.iteration == config.iterations
    if state.iteration % 10 == 0 or last:
        values = {name: round(float(term), 4) for name, term in terms.items()}
        progress.set_postfix(values)
        with (folder / "stats.jsonl").open("a") as stats:
            stats.write(json.dumps({"iteration": state.iteration, **values, "skipped": state.skipped}) + "\n")
    if state.iteration % config.checkpoint_every == 0 or last:
        save_checkpoint(state, config, folder)


def _forget_after(path: Path, iteration: int) -> None:
    """Drop the lines of steps that were done after the last checkpoint and will be done again."""
    if path.is_file():
        lines = [line for line in path.read_text().splitlines() if line.endswith("}")]
        kept = [line for line in lines if json.loads(line)["iteration"] <= iteration]
        with written_atomically(path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept))


def training_steps(
    state: TrainingState, source: PreprocessedCases, target: PreprocessedCases, config: PretrainingConfig,
    metadata: GeneratorMetadata, device: torch.device, ranks: Ranks = ALONE,
) -> Iterator[dict[str, torch.Tensor]]:  # fmt: skip
    """Train until `config.iterations`; after each step yield its loss terms."""

    def part(number: int) -> Part:
        # Seeded per iteration, so that a resumed run draws what the uninterrupted one would have drawn.
        rng = np.random.default_rng([config.seed, number, state.iteration])
        seed = int(rng.integers(2**62))
        sizes = config.patch_size, config.style_patch_size
        samples = [sample_patches(rng, source, target, *sizes) for _ in range(config.batch_size)]
        return seed, batch_of(samples, device), sample_plan(
            rng, config, metadata.axes, metadata.spacing, state.iteration
        )

    own = range(ranks.rank * config.accumulate, (ranks.rank + 1) * config.accumulate)
    while state.iteration < config.iterations:
        if config.centres_styles(state.iteration):
            rng = np.random.default_rng([config.seed, state.iteration])  # the same on all ranks
            images = exemplar_patches(rng, target, config.style_patch_size).to(device)
            centre_styles(state.networks.generator, images)
        step = warm_up_step if state.iteration < config.style_warmup else training_step
        terms = step(state, [part(number) for number in own], config, ranks)
        state.iteration += 1
        yield terms


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
    names = _evenly(target.names, PANEL_EXEMPLARS)
    exemplars = [_central_patch(target, name, config.patch_size)[0] for name in names]
    if target.codes:
        styles = [torch.tensor([target.codes[name]], device=device) for name in names]
    else:
        styles = [generator.encode_style(exemplar.to(device)) for exemplar in exemplars]
    translations = [[generator(image.to(device), style).cpu() for style in styles] for image in inputs]
    save_panel(sources, exemplars, translations, path)


def _central_patch(cases: PreprocessedCases, name: str, size: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    start = [(extent - length) // 2 for extent, length in zip(cases.shapes[name], size, strict=True)]
    return cases.patch(name, np.array(start), size)


def _evenly(names: list[str], count: int) -> list[str]:
    return [names[int(i)] for i in np.linspace(0, len(names) - 1, min(count, len(names)))]
