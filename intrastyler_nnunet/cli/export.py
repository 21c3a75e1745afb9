"""`intrastyler export`: a generator for the paper's released code."""

import argparse
from pathlib import Path

HELP = "write a generator as weights that the paper's released code loads"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("-g", dest="generator", type=Path, required=True, help="generator.safetensors to read")
    parser.add_argument(
        "--to-upstream", dest="output", metavar="FILE", type=Path, required=True,
        help="latest_net_G.pth to write; only the presets with the released architecture (reference, mini) fit",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Convert and write."""
    from intrastyler_nnunet.files import require_inputs_kept
    from intrastyler_nnunet.model.generator import Generator
    from intrastyler_nnunet.model.released_weights import export_upstream

    require_inputs_kept([arguments.output], [arguments.generator])
    generator = Generator.load(arguments.generator)
    export_upstream(generator, arguments.output)
    print(f"{arguments.output}: width {generator.config.width}, {generator.config.residual_blocks} residual blocks")
    if generator.metadata.label_hint is not None:
        print("note: it was trained with a label hint, which the released code must apply with the same values")
