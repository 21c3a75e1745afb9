"""Scores of the demo: each method on the seen target sites and on the unseen one."""

from pathlib import Path

from intrastyler_nnunet.demo.places import TRAINERS, DemoPlaces
from intrastyler_nnunet.evaluation.folder import evaluate_folder
from intrastyler_nnunet.simulation.raw_dataset import read_sites
from intrastyler_nnunet.structures import CROSSMODA_LABELS
from intrastyler_nnunet.workflow import minutes_of_stages

UNTIL_PICTURE = ("first-images", "look")


def score_demo(places: DemoPlaces) -> dict:
    """What `summary.json` holds of a finished demo.

    Returns:
        minutes                 by stage, in the order they finished
        first_picture_minutes   of the stages until look.png was there
        total_minutes           of all stages
        methods                 {method: {"seen_sites" | "unseen_site": scores}}, scores of its predictions
                                (`evaluate_folder`): mean_dice, structures, boundary and cases
    """
    groups = split_test_cases(places.raw / "sites.json")
    methods = {
        method: {
            group: evaluate_folder(places.predictions(method), places.raw / "labelsTs", CROSSMODA_LABELS, cases=cases)
            for group, cases in groups.items()
        }
        for method in TRAINERS
    }
    minutes = minutes_of_stages(places.folder)
    return {
        "minutes": minutes,
        "first_picture_minutes": round(sum(minutes[stage] for stage in UNTIL_PICTURE), 2),
        "total_minutes": round(sum(minutes.values()), 2),
        "methods": methods,
    }


def split_test_cases(sites_file: Path) -> dict[str, list[str]]:
    """Names of the test cases from the target sites that have exemplars, and from the one that has none."""
    cases = [case for case in read_sites(sites_file).cases if case.split == "test"]
    return {
        "seen_sites": [case.case for case in cases if case.seen],
        "unseen_site": [case.case for case in cases if not case.seen],
    }


def table(methods: dict) -> str:
    """A line per method and group: mean Dice, then Dice and ASSD (mm) of each structure."""
    names = list(CROSSMODA_LABELS)
    lines = [f"{'':12} {'':12} {'mean Dice':>9}  " + "  ".join(f"{name + ' Dice / ASSD':>26}" for name in names)]
    for method, groups in methods.items():
        for group, scores in groups.items():
            cells = [f"{s['dice']:.3f} / {s['assd']:.2f} mm" for s in (scores["structures"][name] for name in names)]
            lines.append(
                f"{method:12} {group:12} {scores['mean_dice']:9.3f}  " + "  ".join(f"{cell:>26}" for cell in cells)
            )
    return "\n".join(lines)
