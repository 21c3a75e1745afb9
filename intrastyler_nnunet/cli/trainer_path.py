"""`intrastyler trainer-path`: for `export nnUNet_extTrainer=$(intrastyler trainer-path)`."""
import argparse
from pathlib import Path

import intrastyler_nnunet

HELP = "print the folder in which nnU-Net finds nnUNetTrainerIntraStyler"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(arguments: argparse.Namespace) -> None:
    """Print the folder."""
    print(trainers_folder())


def trainers_folder() -> Path:
    """trainers/ inside the installed package, or beside it in a source checkout."""
    package = Path(intrastyler_nnunet.__file__).resolve().parent
    installed = package / "trainers"
    return installed if installed.is_dir() else package.parent / "trainers"
