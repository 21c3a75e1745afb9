"""`intrastyler report`: the styles of a dataset on one page."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.embed import add_style_space_arguments, require_style_inputs_kept

HELP = "one HTML page of styles, translations and trainings, to look at before and after a long training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_style_space_arguments(parser)
    parser.add_argument("-o", dest="output", type=Path, default=Path("report.html"), help="HTML file to write")
    parser.add_argument(
        "-i", dest="images", type=Path, default=None,
        help="folder of new case_0000.nii.gz images, to see whether the exemplars cover their scanner",
    )  # fmt: skip
    parser.add_argument(
        "--subdomain-pattern", default=None,
        help="regular expression whose group is the site in a case's name; give it to colour by site when the raw "
        "dataset has no sites.json",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Build and write the page."""
    from intrastyler_nnunet.devices import chosen_device
    from intrastyler_nnunet.files import written_atomically
    from intrastyler_nnunet.offline.style_space import generator_file, open_style_space
    from intrastyler_nnunet.report.build import build_report

    where = arguments.dataset, arguments.plans, arguments.configuration
    generator = generator_file(*where, arguments.generator)
    space = open_style_space(*where, generator, chosen_device(arguments.device))
    require_style_inputs_kept(arguments, space.dataset_json["file_ending"], [arguments.output])
    html = build_report(space, generator, arguments.configuration, arguments.subdomain_pattern, arguments.images)
    with written_atomically(arguments.output) as temporary:
        temporary.write_text(html, encoding="utf-8", errors="backslashreplace")  # of names that are no UTF-8
    print(f"{arguments.output}: {len(html) / 1e6:.1f} MB")
