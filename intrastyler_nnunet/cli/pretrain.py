"""`intrastyler pretrain`: train the synthesizer on preprocessed source and target images."""

import argparse
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from intrastyler_nnunet.cli.options import POSITIVE, add_device, add_processes, number, whole_number
from intrastyler_nnunet.workers import end_with

if TYPE_CHECKING:
    from intrastyler_nnunet.objective.options import Range

HELP = "train the synthesizer on the preprocessed source and target images of a dataset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    data = parser.add_argument_group("data")
    data.add_argument("-d", dest="dataset", help="dataset id or name")
    data.add_argument("-c", dest="configuration", help="3D configuration of the plans, e.g. 3d_fullres")
    data.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans identifier; change it if you planned anew")
    data.add_argument(
        "-o",
        dest="output",
        type=Path,
        help="run folder; default: nnUNet_results/DATASET/IntraStyler__... With --estimate: JSON file to write",
    )
    data.add_argument(
        "--patch-size",
        type=whole_number(1),
        nargs=3,
        help="voxels, slices first as nnU-Net counts; default: the configuration's, at most the smallest case",
    )
    data.add_argument("--channel", help="name of the image channel to translate; needed when there are several")
    groups = {title: parser.add_argument_group(title) for title in ("method", "training")}
    _add_recipe(groups["method"])
    _add_options(groups)
    _add_machine(groups["training"])
    _add_estimate(parser.add_argument_group("what it will need"))


def run(arguments: argparse.Namespace) -> None:
    """Train on one process, or start one per GPU; or only say what that will need."""
    from intrastyler_nnunet.errors import InputError

    without_data = arguments.estimate and arguments.patch_size and arguments.dataset is None
    if not without_data and None in (arguments.dataset, arguments.configuration):
        raise InputError("no data set, expected -d and -c; only --estimate with --patch-size needs none")
    if arguments.estimate:
        from intrastyler_nnunet.pretraining.launch import tell_cost

        return tell_cost(arguments)
    for name in ("memory", "tflops"):
        if getattr(arguments, name) is not None:
            raise InputError(f"--{name} belongs to --estimate, expected both")
    if "TORCHELASTIC_RUN_ID" in os.environ:  # torchrun starts each process in a session of its own
        end_with(os.getppid())
    if arguments.num_gpus > 1:
        from intrastyler_nnunet.pretraining.launch import train_on_gpus

        train_on_gpus(arguments)
    else:
        from intrastyler_nnunet.pretraining.launch import train

        train(arguments)


def _add_machine(group: argparse._ArgumentGroup) -> None:
    add_device(group, "to train")
    group.add_argument(
        "-num_gpus", type=whole_number(1), default=1, help="processes on this machine, each on its own patches"
    )
    add_processes(
        group, "processes that read patches ahead; more when the waiting reported at the end is above a few percent",
        default=2, least=0,
    )  # fmt: skip
    group.add_argument(
        "--compile", action="store_true",
        help="compile the networks first (torch.compile); worth its minutes on a GPU in runs of thousands of steps",
    )  # fmt: skip
    group.add_argument(
        "--tensorboard", action="store_true",
        help="write curves and panels to tensorboard/ in the run folder, too (`pip install tensorboard`); W&B takes "
        "them with `wandb sync`",
    )  # fmt: skip


def _add_estimate(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--estimate", action="store_true",
        help="train nothing, but count memory and arithmetic of a step, in minutes and without a GPU; needs no data "
        "set where --patch-size is given",
    )  # fmt: skip
    group.add_argument(
        "--memory", type=POSITIVE, metavar="GIB", help="of the card: also find the largest patch that fits"
    )
    group.add_argument(
        "--tflops", type=POSITIVE, metavar="TFLOP/S",
        help="that the card reaches in convolutions, usually half of what its maker states: also tell the hours",
    )  # fmt: skip


def _add_options(groups: dict[str, argparse._ArgumentGroup]) -> None:
    """The options of the configuration; those that are not given are absent from the arguments."""
    from intrastyler_nnunet.objective.config import PretrainingConfig
    from intrastyler_nnunet.objective.options import options_of

    for field in fields(PretrainingConfig):
        option = options_of(PretrainingConfig).get(field.name)
        if option is None or option.group is None:
            continue
        groups[option.group].add_argument(
            option.flag(field.name), dest=field.name, default=argparse.SUPPRESS,
            type=_type_of(field.type, option.range),
            metavar=f"{{{','.join(option.choices)}}}" if option.choices else option.metavar,
            help=option.help,
        )  # fmt: skip


def _type_of(kind: object, limits: "Range | None") -> Callable:
    """The type of argument of a field's type and the numbers that it may have."""
    if kind not in (int, float):
        return str
    words = "a whole number" if kind is int else "a finite number"
    if limits is None:
        return number(words, kind=kind)
    return number(f"{words}, {limits.words}", lambda value: not limits.excludes(value), kind)


def _add_recipe(group: argparse._ArgumentGroup) -> None:
    from intrastyler_nnunet.objective.terms import TERMS
    from intrastyler_nnunet.pretraining.recipes import DEFAULT, read_recipe, recipe_names

    purposes = "; ".join(f"{name}: {read_recipe(name).purpose}" for name in recipe_names())
    group.add_argument(
        "--recipe", metavar="NAME|FILE", default=DEFAULT,
        help=f"all settings at once, by name or from a JSON file like those of the package; options given beside it "
        f"count instead of its entries (default: {DEFAULT}). {purposes}",
    )  # fmt: skip
    group.add_argument(
        "--weight", metavar="TERM=WEIGHT", action="append", default=[],
        help=f"weight of a term ({', '.join(TERMS)}) instead of the recipe's; TERM=PROGRESS:WEIGHT,... lets it change "
        "linearly between points, progress being 0 after the style warm-up and 1 at the end. consistency=0:0,0.3:5 "
        "when early translations get stripes. Repeat it for several terms",
    )  # fmt: skip
