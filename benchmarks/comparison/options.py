"""The options of `python -m benchmarks.comparison`."""

import argparse
from pathlib import Path

from benchmarks.comparison.plan import METHODS, SCALES
from intrastyler_nnunet.cli.options import OneLineParser, add_device, whole_number


def parsed(command_line: list[str]) -> argparse.Namespace:
    """The options of the command; bad ones end it with one line and exit code 2."""
    parser = OneLineParser(
        prog="python -m benchmarks.comparison",
        description="Run what is left to do, then write the page.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-o", dest="output", type=Path, required=True,
        help="folder for data, models and results; call again with the same options to continue; what is in its "
        "results.jsonl is not run again, so one can continue on another machine with this file alone; "
        "each machine rounds in its own way, so a method repeated there gets another network",
    )  # fmt: skip
    parser.add_argument(
        "--scale", choices=SCALES,
        help="tiny only shows that all works; small, of simulated data the default, takes two cores three and a "
        "half hours a seed; full, of your own data the default, is for a GPU",
    )  # fmt: skip
    parser.add_argument("--seeds", type=whole_number(1), help="repetitions, each with networks of its own; default: 3")
    parser.add_argument("--quick", action="store_true", help="scale quick, one seed: below half an hour on two cores")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help=f"some of {' '.join(METHODS)}; default: all")
    add_device(parser, "to train and predict")
    own = parser.add_argument_group("on your own data")
    own.add_argument("--dataset", help="id or name; preprocessed by nnU-Net (3d_fullres) and intrastyler add-target")
    own.add_argument("--target-test", type=Path, help="folder with imagesTs and labelsTs, labelled target images")
    own.add_argument(
        "--subdomain-pattern",
        help="regular expression whose group is the sub-domain in a target case's name; multinets and unified need it, "
        "unless the raw dataset has a sites.json",
    )  # fmt: skip
    parser.add_argument(
        "--publish", action="store_true", help="also write docs/benchmark.md and benchmarks/results/uda.jsonl"
    )
    parser.add_argument(
        "--background", action="store_true", help="return at once and go on without the terminal; see log.txt in -o"
    )
    arguments = parser.parse_args(command_line)
    _complete(arguments, parser)
    return arguments


def _complete(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Defaults that depend on other options; an error for those that do not go together."""
    own_data = arguments.dataset is not None
    if own_data != (arguments.target_test is not None):
        parser.error("--dataset and --target-test belong together")
    if arguments.subdomain_pattern is not None and not own_data:
        parser.error("--subdomain-pattern is for your own data, expected --dataset, too")
    if arguments.publish and own_data:
        parser.error("--publish writes this project's own page, expected no --dataset")
    if arguments.quick:
        if arguments.scale or arguments.seeds:
            parser.error("--quick is a scale with one seed, expected neither --scale nor --seeds beside it")
        arguments.scale, arguments.seeds = "quick", 1
    arguments.scale = arguments.scale or ("full" if own_data else "small")
    arguments.seeds = 3 if arguments.seeds is None else arguments.seeds
