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
from intrastyler_nnunet.objective.config import PretrainingConfig, parse_weight
from intrastyler_nnunet.objective.options import options_of
from intrastyler_nnunet.pretraining.estimate import configuration_without_data, estimate, report
from intrastyler_nnunet.pretraining.loop import pretrain
from intrastyler_nnunet.pretraining.ranks import join_ranks
from intrastyler_nnunet.pretraining.run import Run, prepare_run
from intrastyler_nnunet.styles import bank
from intrastyler_nnunet.workers import run_program


def train(arguments: argparse.Namespace) -> None:
    """Train, then build the style bank beside the generator; one of several ranks if torchrun started it."""
    device = chosen_device(arguments.device)
    run = run_of(arguments, device)
    ranks, device = join_ranks(device)
    with locked(run.folder) if ranks.first else nullcontext():
        path = pretrain(run, device, ranks, arguments.processes, arguments.compile, arguments.tensorboard)
        if ranks.first:
            generator = Generator.load(path, device)
            patch_size = run.config.style_patch_size
            bank.style_bank(generator, path, run.target.folder, patch_size, run.folder / bank.BANK_FILE, device)
    if distributed.is_initialized():
        distributed.destroy_process_group()


def run_of(arguments: argparse.Namespace, device: torch.device) -> Run:
    """The run that the command line asks for. Raises InputError, see `prepare_run`."""
    _require_devices(device, arguments.num_gpus)
    return _asked_for(arguments)


def _asked_for(arguments: argparse.Namespace) -> Run:
    output = None if arguments.estimate else arguments.output
    return prepare_run(
        arguments.dataset, arguments.configuration, arguments.plans, output, arguments.patch_size,
        arguments.channel, arguments.recipe, dict(map(parse_weight, arguments.weight)), **_settings(arguments),
    )  # fmt: skip


def _settings(arguments: argparse.Namespace) -> dict:
    return {name: value for name, value in vars(arguments).items() if name in options_of(PretrainingConfig)}


def tell_cost(arguments: argparse.Namespace) -> None:
    """Print what the run that the command line asks for will need, and write it to the output file."""
    if arguments.dataset is None:
        weights = dict(map(parse_weight, arguments.weight))
        config, metadata = configuration_without_data(
            arguments.recipe, weights, arguments.patch_size, **_settings(arguments)
        )
    else:
        run = _asked_for(arguments)
        config, metadata = run.config, run.metadata
    report(estimate(config, metadata, arguments.memory, arguments.tflops), arguments.output)


def _require_devices(device: torch.device, count: int) -> None:
    if count > 1 and "WORLD_SIZE" in os.environ:
        raise InputError(f"-num_gpus is {count}, expected none under torchrun, which has started the processes")
    if device.type == "cuda":
        expected = max(count, 1 + int(os.environ.get("LOCAL_RANK", 0)))
        found = torch.cuda.device_count()
        if found < expected:
            raise InputError(f"-device cuda: found {found} GPUs, expected {expected}; on a CPU, give -device cpu")


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
