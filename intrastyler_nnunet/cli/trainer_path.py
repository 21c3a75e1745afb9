"""`intrastyler trainer-path`: `export nnUNet_extTrainer=$(intrastyler trainer-path)`, and `:` before folders there."""

import argparse

from intrastyler_nnunet.shipped import trainers_folder

HELP = "print the folder in which nnU-Net finds nnUNetTrainerIntraStyler"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(arguments: argparse.Namespace) -> None:
    """Print the folder."""
    print(trainers_folder())
