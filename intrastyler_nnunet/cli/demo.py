"""`intrastyler demo`: the whole of it on simulated data, on a laptop."""

import argparse
from pathlib import Path

from intrastyler_nnunet.cli.options import add_device

HELP = "simulate, train NoAdapt and IntraStyler with nnU-Net, predict, score and draw; half an hour on two cores"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "-o", dest="output", type=Path, default=Path("intrastyler_demo"),
        help="folder for data, models and results; call again with the same folder to continue",
    )  # fmt: skip
    add_device(parser, "to train and predict")


def run(arguments: argparse.Namespace) -> None:
    """Run what is left to do, then print and draw the results."""
    from intrastyler_nnunet.demo.picture import draw_demo_picture
    from intrastyler_nnunet.demo.stages import demo_stages, set_environment
    from intrastyler_nnunet.demo.summary import score_demo, table
    from intrastyler_nnunet.devices import chosen_device
    from intrastyler_nnunet.files import write_json
    from intrastyler_nnunet.locks import locked
    from intrastyler_nnunet.shipped import shipped_generator
    from intrastyler_nnunet.workflow import run_stages

    folder, generator, device = arguments.output.absolute(), shipped_generator(), chosen_device(arguments.device).type
    with locked(folder):
        set_environment(folder, generator)
        run_stages(demo_stages(folder, generator, device), folder)
        summary = score_demo(folder)
        write_json(summary, folder / "summary.json")
        draw_demo_picture(folder, generator, folder / "panel.png")
    print(table(summary["methods"]))
    print(f"\n{sum(summary['minutes'].values()):.0f} minutes")
    print("", *(folder / name for name in ("summary.json", "panel.png", "report.html")), sep="\n")
