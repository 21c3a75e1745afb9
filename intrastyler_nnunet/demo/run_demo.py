"""The whole demo: stages, scores, picture, and what is printed at the end."""

from pathlib import Path

from intrastyler_nnunet.demo.picture import draw_picture, picture_rows
from intrastyler_nnunet.demo.places import TRAINERS, DemoPlaces
from intrastyler_nnunet.demo.stages import LAPTOP, DemoSize, demo_environment, demo_stages
from intrastyler_nnunet.demo.summary import score_demo, table
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import remove_half_written, write_json
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.simulation.raw_dataset import read_sites
from intrastyler_nnunet.workflow import run_stages


def run_demo(folder: Path, device: str, seed: int, size: DemoSize = LAPTOP) -> None:
    """Do what is left to do in `folder`, then print and draw the results.

    Raises:
        InputError: the folder holds a demo of another seed, or another process works there; a command failed.
    """
    places, generator = DemoPlaces(folder.absolute()), shipped_generator()
    with locked(places.folder), demo_environment(places, generator):
        _require_same_seed(places, seed)
        remove_half_written(places.folder)
        run_stages(demo_stages(places, generator, device, seed, size), places.folder)
        summary = score_demo(places)
        write_json(summary, places.summary)
        draw_picture(picture_rows(places), {method: places.predictions(method) for method in TRAINERS}, places.panel)
    print(table(summary["methods"]))
    print(f"\n{summary['total_minutes']:.0f} minutes, the first picture after {summary['first_picture_minutes']:.1f}")
    print("", places.picture, places.panel, places.summary, places.report, sep="\n")


def _require_same_seed(places: DemoPlaces, seed: int) -> None:
    path = places.raw / "sites.json"
    if path.exists() and (found := read_sites(path).seed) != seed:
        raise InputError(f"{path}: this demo was begun with --seed {found}, now it is {seed}; choose another folder")
