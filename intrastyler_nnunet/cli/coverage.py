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
    from intrastyler_nnunet.offline.style_space import image_styles, open_style_space
    from intrastyler_nnunet.styles.coverage import coverage

    device = chosen_device(arguments.device)
    space = open_style_space(arguments.dataset, arguments.plans, arguments.configuration, arguments.generator, device)
    if len(space.bank.names) < 2:
        raise InputError(f"{arguments.dataset}: {len(space.bank.names)} exemplar, expected at least two to compare")
    if arguments.output:
        require_style_inputs_kept(arguments, space.dataset_json["file_ending"], [arguments.output])
    names, vectors = image_styles(space, arguments.images)
    result = coverage(vectors, space.bank.vectors)
    rows = [
        {
            "case": names[i], "degrees": round(float(result.angles[i]), 2),
            "nearest": space.bank.names[int(result.nearest[i])], "quantile": round(float(result.quantiles[i]), 3),
            "outside": bool(result.outside[i]),
        }
        for i in result.angles.argsort(descending=True).tolist()
    ]  # fmt: skip
    for row in rows:
        mark = "OUTSIDE" if row["outside"] else ""
        print(f"{row['case']:30} {row['degrees']:7.2f} degrees from {row['nearest']:30} {mark}")
    limit = float(result.own_angles.max())
    count = sum(row["outside"] for row in rows)
    print(f"{count} of {len(rows)} images outside: farther than {limit:.2f} degrees, the exemplars' own largest gap")
    if arguments.output:
        write_json({"limit_degrees": limit, "images": rows}, arguments.output)
