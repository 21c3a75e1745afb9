"""`intrastyler import-upstream`: weights of the paper's released code as a generator of this project."""

import argparse
from pathlib import Path

HELP = "convert latest_net_G.pth of the paper's released code to generator.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("weights", type=Path, help="latest_net_G.pth, a state dict of the released code")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="generator.safetensors to write")
    parser.add_argument(
        "--reference", type=Path,
        help="npz with arrays source, exemplar, style, translated of the released network: print the differences to it",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Convert, compare if asked to, write."""
    from intrastyler_nnunet.files import require_inputs_kept
    from intrastyler_nnunet.model.released_weights import compare_with_reference, import_upstream

    require_inputs_kept([arguments.output], [arguments.weights, arguments.reference])
    generator = import_upstream(arguments.weights)
    if arguments.reference is not None:
        for name, difference in compare_with_reference(generator, arguments.reference).items():
            print(f"maximum difference of {name}: {difference:.2e}")
    generator.save(arguments.output)
    print(f"{arguments.output}: width {generator.config.width}, {generator.config.residual_blocks} residual blocks")
