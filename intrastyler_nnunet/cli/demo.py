"""`intrastyler demo`: the whole of it on simulated data, on a laptop."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.options import SEED, add_device

HELP = "a picture in two minutes, then train and score NoAdapt and IntraStyler: a quarter of an hour on two cores"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "-o", dest="output", type=Path, default=Path("intrastyler_demo"),
        help="folder for data, models and results; call again with the same folder to continue",
    )  # fmt: skip
    parser.add_argument("--seed", type=SEED, default=7, help="another seed gives other subjects, scans and trainings")
    add_device(parser, "to translate, train and predict")


def run(arguments: argparse.Namespace) -> None:
    """Run what is left to do, then print and draw the results."""
    from intrastyler_nnunet.demo.run_demo import run_demo
    from intrastyler_nnunet.devices import chosen_device

    run_demo(arguments.output, chosen_device(arguments.device).type, arguments.seed)
