"""`intrastyler simulate`: write SimCrossMoDA, a simulated stand-in for CrossMoDA."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.options import DATASET_ID, SEED, add_processes

HELP = "write SimCrossMoDA, a simulated dataset of labelled ceT1 and unlabelled T2 images, into nnUNet_raw"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("-d", dest="dataset", type=DATASET_ID, default=990, help="dataset id")
    parser.add_argument(
        "--scale", choices=("tiny", "small", "pretraining", "full"), default="small",
        help="tiny for a quick look, small for training on a laptop, full for the challenge's geometry",
    )  # fmt: skip
    parser.add_argument("--seed", type=SEED, default=0, help="another seed gives other subjects and scans")
    parser.add_argument(
        "--paired", action="store_true",
        help="also write the source subjects in target protocols, to score translations against",
    )  # fmt: skip
    parser.add_argument(
        "--test-head", choices=("colin27", "colin27_mirrored", "mni2009c"), default="colin27",
        help="head of the test subjects; mni2009c is an anatomy that no training subject has",
    )  # fmt: skip
    parser.add_argument(
        "--as-crossmoda", metavar="FOLDER", type=Path, default=None,
        help="write the challenge's own folder there instead of an nnU-Net dataset, to try the CrossMoDA steps on",
    )  # fmt: skip
    add_processes(parser, "worker processes", default=2)


def run(arguments: argparse.Namespace) -> None:
    """Write the dataset, or the challenge's folder."""
    if arguments.as_crossmoda is not None:
        from intrastyler_nnunet.simulation.challenge import simulate_challenge

        folder = simulate_challenge(
            arguments.as_crossmoda, arguments.scale, arguments.seed, arguments.test_head, arguments.processes
        )
        print(f"written to {folder}")
        return
    from intrastyler_nnunet.simulation.raw_dataset import simulate_dataset

    folder = simulate_dataset(
        arguments.dataset,
        arguments.scale,
        arguments.seed,
        paired=arguments.paired,
        test_head=arguments.test_head,
        processes=arguments.processes,
    )
    print(f"written to {folder}")
