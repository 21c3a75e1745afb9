"""`intrastyler add-target`: unlabelled target images into an nnU-Net dataset."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.options import add_parts, add_processes, part_of

HELP = "preprocess unlabelled target images exactly as nnU-Net preprocessed the source images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments named as nnU-Net names them."""
    parser.add_argument("-d", dest="dataset", required=True, help="dataset id or name")
    parser.add_argument(
        "-c", dest="configurations", nargs="+", default=[],
        help="configurations of the plans; none given: all whose source images are preprocessed",
    )  # fmt: skip
    parser.add_argument("-p", dest="plans", default="nnUNetPlans", help="plans identifier")
    parser.add_argument(
        "-i", dest="images", type=Path, default=None,
        help="folder of case_0000.nii.gz files; none given: imagesTarget of the raw dataset",
    )  # fmt: skip
    parser.add_argument(
        "--channel", help="name of the image channel that the target images stand for; needed when there are several"
    )
    add_parts(parser)
    add_processes(parser, "worker processes; lower it if memory runs out; none given: nnU-Net's nnUNet_def_n_proc")


def run(arguments: argparse.Namespace) -> None:
    """Preprocess and say where the cases are."""
    from nnunetv2.configuration import default_num_processes

    from intrastyler_nnunet.nnunet.target.add import add_target

    for folder in add_target(
        arguments.dataset,
        arguments.plans,
        arguments.processes or default_num_processes,
        arguments.configurations,
        arguments.images,
        arguments.channel,
        part_of(arguments),
    ):
        print(folder)
