"""Are both cochleae inside the region that is cut around the found places? On a scanner and a head never seen.

python -m benchmarks.localisation.templates            (200 simulated cases, about 8 minutes on two cores)
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK
from tqdm import tqdm

from intrastyler_nnunet.crossmoda.localise import UNSURE, draw_balls, find_cochleae
from intrastyler_nnunet.crossmoda.region import Region, region_around
from intrastyler_nnunet.grids import SamplingGrid, to_lps
from intrastyler_nnunet.simulation.challenge import ChallengeCase, plan_challenge, render_challenge_case
from intrastyler_nnunet.simulation.patient import COCHLEA
from intrastyler_nnunet.simulation.sites import sample_scan
from intrastyler_nnunet.workers import workers

SEED = 2026
RESULT = Path(__file__).parents[1] / "results" / "localisation.json"


def plan(count: int) -> list[ChallengeCase]:
    """Half of the cases on a scanner that has no exemplars, half with the head that no training subject has."""
    geometries = [case for case in plan_challenge("tiny", SEED) if case.split != "source"]
    cases = []
    for number in range(count):
        rng = np.random.default_rng([SEED, number])
        case = replace(geometries[number % len(geometries)], case=f"case_{number:03d}", subject=1000 + number)
        tilt = tuple(float(angle) for angle in rng.uniform(-15, 15, 3) * (rng.random() < 0.5))
        changed = {"head": "mni2009c"} if number % 2 else {"scan": sample_scan("target_interpolation", rng)}
        cases.append(replace(case, tilt=tilt, **changed))
    return cases


def evaluate(case: ChallengeCase) -> dict:
    """Route, and the share of the cochleae's voxels that lie in the region."""
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image, labels = render_challenge_case(case, SEED)
    finding = find_cochleae(image, None, case.case)
    row = {"case": case.case, "head": case.head, "site": case.scan.site, "route": finding.route,
           "reasons": finding.reasons}  # fmt: skip
    if finding.route == UNSURE:
        return row
    upright = to_lps(image)
    grid = region_around(to_lps(draw_balls(finding.cochleae, image)), 1, upright, Region())
    return row | {"inside": inside(labels, grid)}


def inside(labels: SimpleITK.Image, grid: SamplingGrid) -> float:
    """Share of the cochleae's voxel centres that lie within the grid."""
    region = grid.empty()
    voxels = np.argwhere(SimpleITK.GetArrayFromImage(labels) == COCHLEA)[:, ::-1]
    points = [labels.TransformContinuousIndexToPhysicalPoint(voxel.tolist()) for voxel in voxels]
    indices = np.array([region.TransformPhysicalPointToContinuousIndex(point) for point in points])
    return float(((indices >= -0.5) & (indices <= np.array(grid.size) - 0.5)).all(axis=1).mean())


def main() -> None:
    """Print the shares and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("-o", dest="output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    with workers(2) as pool:
        rows = list(tqdm(pool.map(evaluate, plan(arguments.cases)), total=arguments.cases))
    found = [row for row in rows if row["route"] != UNSURE]
    lost = [row["case"] for row in found if row["inside"] < 1]
    summary = {
        "cases": len(rows), "seed": SEED, "found": len(found), "both_inside": len(found) - len(lost),
        "unsure": [row["case"] for row in rows if row["route"] == UNSURE], "cut_although_outside": lost,
    }  # fmt: skip
    print(json.dumps(summary, indent=2))
    arguments.output.write_text(json.dumps(summary | {"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
