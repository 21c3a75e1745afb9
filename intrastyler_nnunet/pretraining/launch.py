"""From the command line to a training, on one process or on several."""

import argparse
import os
import sys
from contextlib import nullcontext

import torch
from torch import distributed

from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.objective.config import COMPETITORS, PretrainingConfig, parse_schedule
from intrastyler_nnunet.objective.options import options_of
from intrastyler_nnunet.pretraining.loop import pretrain
from intrastyler_nnunet.pretraining.ranks import join_ranks
from intrastyler_nnunet.pretraining.run import Run, prepare_run
from intrastyler_nnunet.structures import Structures
from intrastyler_nnunet.styles import bank
from intrastyler_nnunet.workers import run_program


def train(arguments: argparse.Namespace) -> None:
    """Train, then build the style bank beside the generator; one of several ranks if torchrun started it."""
    device = chosen_device(arguments.device)
    run = run_of(arguments, device)
    ranks, device = join_ranks(device)
    with locked(run.folder) if ranks.first else nullcontext():
        path = pretrain(run, device, ranks, arguments.processes, arguments.compile)
        if ranks.first:
            generator = Generator.load(path, device)
            patch_size = run.config.style_patch_size
            bank.style_bank(generator, path, run.target.folder, patch_size, run.folder / bank.BANK_FILE, device)
    if distributed.is_initialized():
        distributed.destroy_process_group()


def run_of(arguments: argparse.Namespace, device: torch.device) -> Run:
    """The run that the command line asks for. Raises InputError, see `prepare_run`."""
    _require_devices(device, arguments.num_gpus)
    settings = {name: value for name, value in vars(arguments).items() if name in options_of(PretrainingConfig)}
    if settings.get("method") in COMPETITORS:
        settings.setdefault("style_warmup", 0)
    settings["label_hint"] = _label_hint(arguments)
    settings["schedules"] = dict(map(parse_schedule, arguments.schedule))
    if settings.get("lambda_fluid") or "fluid" in settings["schedules"]:
        settings["fluid_labels"] = (_structures(arguments.dataset).cochlea,)
    return prepare_run(
        arguments.dataset, arguments.configuration, arguments.plans, arguments.output, arguments.patch_size,
        arguments.channel, **settings,
    )  # fmt: skip


def _require_devices(device: torch.device, count: int) -> None:
    if count > 1 and "WORLD_SIZE" in os.environ:
        raise InputError(f"-num_gpus is {count}, expected none under torchrun, which has started the processes")
    if device.type == "cuda":
        expected = max(count, 1 + int(os.environ.get("LOCAL_RANK", 0)))
        found = torch.cuda.device_count()
        if found < expected:
            raise InputError(f"-device cuda: found {found} GPUs, expected {expected}; on a CPU, give -device cpu")


def _label_hint(arguments: argparse.Namespace) -> LabelHint | None:
    shift, levels = arguments.label_hint, (arguments.tumour_level, arguments.cochlea_level)
    if shift is not None and levels != (None, None):
        raise InputError("--label-hint and levels both say what labels do to the input; expected one of them")
    if shift is None and levels == (None, None):
        return None
    structures = _structures(arguments.dataset)
    tumour, cochlea = tuple(structures.tumour.values()), (structures.cochlea,)
    if shift is not None:
        return LabelHint(inverted=cochlea, shifted=tumour, shift=shift, soft=True)
    scores = zip((tumour, cochlea), levels, strict=True)
    given = tuple((values, level) for values, level in scores if level is not None)
    return LabelHint(inverted=(), shifted=(), soft=True, levels=given)


def _structures(dataset: str) -> Structures:
    labels = folders.read_dataset_json(dataset)["labels"]
    if not all(isinstance(value, int) for value in labels.values()):
        raise InputError(f"dataset {dataset} has regions {labels}, expected labels of one value to steer the input by")
    return Structures.of({name: value for name, value in labels.items() if name != "ignore"})


def train_on_gpus(arguments: argparse.Namespace) -> None:
    """Start this very command once per GPU through torchrun.

    Raises:
        InputError: bad input; or a process failed, whose own message stands above.
    """
    device = chosen_device(arguments.device)
    run_of(arguments, device)  # what is wrong with the input is said once
    count = arguments.num_gpus
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    # The last of an option counts: a process must not start others, nor say again which device was chosen.
    options = [*arguments.command_line, "-num_gpus", "1", "-device", device.type]
    module = ["-m", "intrastyler_nnunet.cli", "pretrain", *options]
    if run_program(torchrun + module):
        raise InputError(f"one of {count} processes failed, see above")
