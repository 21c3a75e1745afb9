"""`intrastyler coverage`: is the scanner of new images among the styles the synthesizer knows?"""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.embed import add_style_space_arguments, require_style_inputs_kept

HELP = "how far new target images lie from the exemplars, and which lie outside: the scanner nobody trained for"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_style_space_arguments(parser)
    parser.add_argument("-i", dest="images", type=Path, required=True, help="folder of case_0000.nii.gz images")
    parser.add_argument("-o", dest="output", type=Path, default=None, help="also write the result to this JSON file")


def run(arguments: argparse.Namespace) -> None:
    """Print a line per image, the farthest first."""
    from intrastyler_nnunet.devices import chosen_device
    from intrastyler_nnunet.errors import InputError
    from intrastyler_nnunet.files import write_json
    from intrastyler_nnunet.offline.style_space import image_bank, open_style_space
    from intrastyler_nnunet.styles.coverage import coverage, coverage_lines, coverage_rows

    device = chosen_device(arguments.device)
    space = open_style_space(arguments.dataset, arguments.plans, arguments.configuration, arguments.generator, device)
    if len(space.bank.names) < 2:
        raise InputError(f"{arguments.dataset}: {len(space.bank.names)} exemplar, expected at least two to compare")
    if arguments.output:
        require_style_inputs_kept(arguments, space.dataset_json["file_ending"], [arguments.output])
    bank = image_bank(space, arguments.images)
    result = coverage(bank.vectors, space.bank.vectors)
    rows = coverage_rows(result, bank.names, space.bank.names)
    print("\n".join(coverage_lines(rows, result.limit)))
    if arguments.output:
        write_json({"limit_degrees": result.limit, "images": rows}, arguments.output)
