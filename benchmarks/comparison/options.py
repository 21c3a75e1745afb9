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
        help="tiny only shows that all works; small, of simulated data the default, takes two cores three to five "
        "hours for three seeds; full, of your own data the default, is for a GPU",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=whole_number(1), default=3,
        help="repetitions, each with training images and networks of its own; more can be added later; default: 3",
    )  # fmt: skip
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
        "--publish", action="store_true", help="also write docs/benchmark.md and benchmarks/results/ladder.jsonl"
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
    arguments.scale = arguments.scale or ("full" if own_data else "small")
