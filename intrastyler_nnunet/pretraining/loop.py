"""The training loop of the synthesizer."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from intrastyler_nnunet.files import remove_half_written, write_json
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.pretraining.panel import draw_panel
from intrastyler_nnunet.pretraining.prefetch import TrainingParts, exemplar_patch, parts_on_device
from intrastyler_nnunet.pretraining.ranks import ALONE, Ranks
from intrastyler_nnunet.pretraining.record import Record
from intrastyler_nnunet.pretraining.run import Run
from intrastyler_nnunet.pretraining.state import (
    CONFIG_FILE,
    TrainingState,
    centre_styles,
    initial_state,
    load_checkpoint,
    save_checkpoint,
)
from intrastyler_nnunet.pretraining.updates import training_step, warm_up_step
from intrastyler_nnunet.pretraining.validation import hold_out, truth_error, validate


def pretrain(
    run: Run,
    device: torch.device,
    ranks: Ranks = ALONE,
    processes: int = 0,
    compiled: bool = False,
    tensorboard: bool = False,
) -> Path:
    """Train a synthesizer, or go on with the run that its folder holds; returns the path of the generator.

    The first rank writes `config.json`, `stats.jsonl`, `losses.png`, `checkpoint.pt` (and the one before),
    `panel_*.png`, `generator_best.safetensors` (see `validation`) and `generator.safetensors` to the folder.

    Args:
        run: what to train, on what, and where to write it.
        device: of this rank.
        ranks: this process among those that train together.
        processes: that read patches ahead.
        compiled: run the networks through `torch.compile`.
        tensorboard: write curves and panels for TensorBoard, too.

    Raises:
        InputError: see `load_checkpoint`, `save_checkpoint`, `optimisation` and `Record`.
    """
    config, folder = run.config, run.folder
    torch.backends.cudnn.benchmark = device.type == "cuda"  # all patches are of one size
    state = initial_state(config, run.metadata, device)
    state.inputs = inputs_of(run, config.accumulate * ranks.count)
    load_checkpoint(state, config, folder)
    if compiled:
        state.networks.compile()
    training, held_out = hold_out(run)
    record = None
    if ranks.first:
        remove_half_written(folder)
        write_json(config.to_dict(), folder / CONFIG_FILE)
        record = Record(folder, state.iteration, tensorboard)
    started, resumed_at, waited = time.perf_counter(), state.iteration, 0.0
    with tqdm(
        total=config.iterations, initial=state.iteration, unit="step", desc="pretraining", disable=not ranks.first
    ) as progress:
        for terms, seconds in training_steps(state, training, device, ranks, processes):
            waited += seconds
            progress.update()
            if ranks.first:
                last = state.iteration == config.iterations
                if state.iteration % 10 == 0 or last:
                    progress.set_postfix(record.terms(state, terms))
                if state.iteration % config.panel_every == 0:
                    _look_at(state, training, held_out, record, device)
                # At the end: a run that is cut before does all of this again.
                if state.iteration % config.checkpoint_every == 0 or last:
                    save_checkpoint(state, config, folder)
    path = folder / "generator.safetensors"
    if ranks.first:
        elapsed = time.perf_counter() - started
        print(
            f"{state.iteration - resumed_at} steps in {elapsed:.0f} s, {waited / elapsed:.1%} of them waiting for "
            f"patches; generator in {folder}"
        )
        save_generator(state, config, path)
    return path


def save_generator(state: TrainingState, config: PretrainingConfig, path: Path) -> None:
    """Write the averaged generator; its metadata say how it was trained."""
    if config.pretrained_weights is not None:  # whoever gets the file is not told where its author kept others
        config = replace(config, pretrained_weights=Path(config.pretrained_weights).name)
    training = {"iteration": state.iteration, "skipped": state.skipped, "config": config.to_dict()}
    state.average.metadata = replace(state.average.metadata, training=training)
    state.average.save(path)


def inputs_of(run: Run, batches: int) -> dict:
    """What a run is trained on, by name; a checkpoint of other inputs is not gone on with."""
    return {
        "source cases": run.source.names, "target cases": run.target.names, "channel": run.source.channel,
        "spacing, axes or sub-domains": run.metadata.to_dict(), "number of batches in a step": batches,
    }  # fmt: skip


def _look_at(state: TrainingState, training: Run, held_out: Run | None, record: Record, device: torch.device) -> None:
    """Panel, validation and plot of the averaged generator."""
    config, folder = training.config, training.folder
    panel = folder / f"panel_{state.iteration:07d}.png"
    draw_panel(state.average, held_out or training, panel, device)
    record.panel(state.iteration, panel)
    if held_out and state.iteration > config.style_warmup:
        means = validate(state.average, held_out, device)
        if state.average.style_encoder:
            error = truth_error(state.average, held_out, device)
            means |= {} if error is None else {"truth_error": error}
        counts = config.progress(state.iteration) >= 0.5
        if counts and record.is_best(means["score"]):
            save_generator(state, config, folder / "generator_best.safetensors")
        record.validation(state.iteration, means, counts)
    record.plot()


def training_steps(
    state: TrainingState, run: Run, device: torch.device, ranks: Ranks = ALONE, processes: int = 0
) -> Iterator[tuple[dict[str, torch.Tensor], float]]:
    """Train until the last iteration; after each step yield its loss terms and the seconds it waited for patches."""
    config, parts = run.config, TrainingParts(run, ranks)
    ready = parts_on_device(parts, range(state.iteration, config.iterations), device, processes)
    untrained = state.iteration == 0 and config.pretrained_weights is None
    if untrained and config.method == "intrastyler" and config.initial_weights == "spread":
        rng = np.random.default_rng(config.seed)  # the same on all ranks
        centre_styles(state.networks.generator, exemplar_patch(rng, run).to(device))
    while state.iteration < config.iterations:
        asked = time.perf_counter()
        batches = next(ready)
        waited = time.perf_counter() - asked
        step = warm_up_step if state.iteration < config.style_warmup else training_step
        terms = step(state, batches, config, ranks)
        state.iteration += 1
        yield terms, waited
