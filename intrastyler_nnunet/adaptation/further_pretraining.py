"""Style encoder and generator trained a little further, on new images among the old exemplars."""

import json
from copy import copy
from dataclasses import replace
from pathlib import Path

import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.nnunet.self_training import MixedDataset
from intrastyler_nnunet.nnunet.target.case import TargetCase, is_up_to_date, preprocess
from intrastyler_nnunet.nnunet.target.raw_images import find_target_images
from intrastyler_nnunet.nnunet.trained_model import TrainedModel
from intrastyler_nnunet.objective.config import Schedule
from intrastyler_nnunet.offline.style_space import StyleSpace, image_bank
from intrastyler_nnunet.pretraining.loop import inputs_of, pretrain
from intrastyler_nnunet.pretraining.recipes import configured
from intrastyler_nnunet.pretraining.run import Run, prepare_run
from intrastyler_nnunet.pretraining.state import CHECKPOINT_FILE, COUNTERS, read_whole
from intrastyler_nnunet.styles.bank import BANK_FILE, StyleBank, style_bank

FOLDER = "synthesizer"  # in the adapted model's


def further_trained(
    model: TrainedModel, space: StyleSpace, generator: Path, images: Path, steps: int, new_share: float, output: Path
) -> tuple[StyleSpace, Path, StyleBank]:
    """Train on, or go on where a killed call stopped.

    The preprocessed new images go to a folder beside the target cases', with the output folder's name in its own.

    Args:
        model: whose data set and plans count.
        space: of its generator.
        generator: its file; with the checkpoint of its training beside it, discriminator and optimizers go on, too.
        images: folder of the new images.
        steps: of the training.
        new_share: of the exemplars drawn, those that are new, about.
        output: folder of the adapted model.

    Returns:
        The style space of the new generator with the exemplars of the data set, the generator's file, and the styles of
        the new images.

    Raises:
        InputError: the generator does not say how it was trained, or an image is smaller than its patches.
    """
    plans, name = space.plans, model.configuration_name
    target = folders.target_folder(plans.dataset_name, plans, name)
    new_target = target.with_name(f"{target.name}_{output.resolve().name}")
    _preprocess(space, images, new_target)
    run = _run(space, generator, name, new_target, steps, new_share, output / FOLDER)
    if not (run.folder / CHECKPOINT_FILE).is_file():
        _begin_with(generator.with_name(CHECKPOINT_FILE), space.generator, run)
    path = pretrain(run, space.device)
    trained = Generator.load(path, space.device).eval()
    bank = style_bank(
        trained, path, target, tuple(space.configuration.patch_size), run.folder / BANK_FILE, space.device
    )
    space = replace(space, generator=trained, bank=bank)
    return space, path, image_bank(space, images)


def _preprocess(space: StyleSpace, images: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in find_target_images(images, space.dataset_json["file_ending"]).items():
        case = TargetCase(name, path, folder, space.plans, space.configuration, space.dataset_json)
        if not is_up_to_date(case):
            preprocess(case)


def _run(
    space: StyleSpace, generator: Path, configuration_name: str, new_target: Path, steps: int, new_share: float,
    folder: Path,
) -> Run:  # fmt: skip
    """The training that made the generator, with these images among its exemplars and without changing weights."""
    before = space.generator.metadata.training.get("config")
    if before is None:
        raise InputError(f"{generator}: does not say how it was trained, expected one that intrastyler pretrain wrote")
    config = configured(before, f"of {generator.name}")
    last: dict[str, Schedule] = {term: ((0.0, points[-1][1]),) for term, points in config.schedules.items()}
    config = replace(
        config, pretrained_weights=str(generator), iterations=steps, style_warmup=0, held_out=0, schedules=last
    )
    run = prepare_run(
        space.plans.dataset_name, configuration_name, space.plans.plans_name, folder, config.patch_size,
        preset=config.preset,
    )  # fmt: skip
    new = PreprocessedCases(new_target, run.target.space.axes, left_right=run.target.left_right)
    target = _mixed(run.target, new, new_share)
    if any(size > extent for size, extent in zip(config.patch_size, target.smallest(), strict=True)):
        raise InputError(
            f"{new_target}: the smallest image has {target.smallest()} voxels, expected at least the generator's patch "
            f"{config.patch_size}"
        )
    metadata = replace(space.generator.metadata, training={})
    return Run(run.source, target, config, metadata, folder)


def _mixed(old: PreprocessedCases, new: PreprocessedCases, new_share: float) -> PreprocessedCases:
    """The cases of both, the new ones so often that they have about their share."""
    if new_share == 1:
        return new
    weight = max(1, round(new_share / (1 - new_share) * len(old.names) / len(new.names)))
    mixed = copy(old)
    mixed.dataset = MixedDataset(old.dataset, new.dataset, dict.fromkeys(new.names, weight))
    mixed.names, mixed.windows, mixed.shapes = (
        mixed.dataset.identifiers, old.windows | new.windows, old.shapes | new.shapes
    )  # fmt: skip
    return mixed


def _begin_with(checkpoint: Path, generator: Generator, run: Run) -> None:
    """Let a run begin with the other networks of the training that made its generator, where they were kept."""
    if not checkpoint.is_file():
        print(f"{checkpoint}: no such file, so the discriminator begins untrained", flush=True)
        return
    try:
        content = read_whole(checkpoint)
    except Exception as error:  # whatever a damaged file raises
        raise InputError(
            f"{checkpoint}: cannot be read ({str(error).splitlines()[0]}), expected a checkpoint"
        ) from None
    weights = generator.state_dict()
    run.folder.mkdir(parents=True, exist_ok=True)
    beginning = {
        **dict.fromkeys(COUNTERS, 0), "generator": weights, "average": weights,
        "config": json.dumps(run.config.to_dict()), "inputs": json.dumps(inputs_of(run, run.config.accumulate)),
    }  # fmt: skip
    with written_atomically(run.folder / CHECKPOINT_FILE) as temporary:
        torch.save(content | beginning, temporary)
