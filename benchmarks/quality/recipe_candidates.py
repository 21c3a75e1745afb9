"""Which recipe earns to be the default? Every candidate trained as long, on the same simulated data, then judged.

    python -m benchmarks.quality.recipe_candidates -w FOLDER -o benchmarks/results/recipe_candidates.json

Data: `intrastyler simulate --scale small` of each seed; preset compact, patches of 16 x 48 x 48 (8 x 48 x 48 for the
released recipe, which is made for 8 slices), without checkpointing.
Judged within scanners (`judge`) on subjects of another simulation. Differences to `paper` are paired by seed, with 95 %
intervals over seeds (t distribution). A stopped run goes on. Three seeds of four candidates take an hour and a half on
two cores.

On a CPU the released recipe is trained in float32: with 8 slices its deepest convolutions have one, and some versions
of oneDNN return NaN for these in bfloat16.
"""

import argparse
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.comparison.machine import machine
from benchmarks.quality.judge import SEED, floors, judged, judged_pairs
from benchmarks.quality.simulated_pairs import translated
from benchmarks.quality.t2_segmenter import frozen_segmenter
from intrastyler_nnunet.errors import one_line_errors
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.pretraining.recipes import FOLDER
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.workflow import Stage, run_command, run_stages

DATASET = 900  # and the seed
CONFIGURATION = "3d_fullres"
BASELINE = "paper"
MEASURES = ("error", "error_structures", "orders_right", "slope", "within_r")


@dataclass(frozen=True)
class Candidate:
    """A recipe of the package, and what is changed of it."""

    recipe: str
    settings: tuple[tuple[str, object], ...] = ()
    patch: str = "16 48 48"

    def write(self, folder: Path, name: str) -> Path:
        """The candidate as a recipe's file."""
        content = json.loads((FOLDER / f"{self.recipe}.json").read_text())
        content["settings"] |= {"precision": "bfloat16"} | dict(self.settings) | {"checkpointing": False}
        write_json(content, folder / f"{name}.json")
        return folder / f"{name}.json"


CANDIDATES = {
    "paper": Candidate("paper"),
    "released": Candidate("released", (("precision", "float32"),), "8 48 48"),
    "ours": Candidate("default", (("style_by_contrast", True),)),
    "ours_style_by_all": Candidate("default", (("style_by_contrast", False),)),
}


def main() -> None:
    """Bad input ends it with one line and exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-w", dest="folder", type=Path, required=True, help="work folder")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="result file")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument("--pairs", type=int, default=48)
    parser.add_argument("--scale", default="small", help="of the simulated data")
    parser.add_argument("-np", dest="processes", type=int, default=2, help="trainings at once, of one thread each")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ[name] = str(folder / name)
        Path(os.environ[name]).mkdir(parents=True, exist_ok=True)
    with one_line_errors("benchmarks.quality.recipe_candidates"):
        for seed in range(arguments.seeds):
            run_stages(_data(seed, arguments.scale), folder / f"data_{seed}")
        runs = [(name, seed) for seed, name in product(range(arguments.seeds), CANDIDATES)]
        with ThreadPoolExecutor(arguments.processes) as trainings:
            list(trainings.map(lambda run: _train(folder, *run, arguments.iterations), runs))
        rows = _judge(folder, runs, arguments.iterations, arguments.pairs)
        about = {"iterations": arguments.iterations, "pairs": arguments.pairs, "judge_seed": SEED, **machine("cpu")}
        result = about | {"floors": rows.pop("floors"), "generators": rows} | {"differences": differences(rows)}
        write_json(result, arguments.output)
        print_table(result)


def _data(seed: int, scale: str) -> list[Stage]:
    number = DATASET + seed
    lines = {
        "simulate": f"intrastyler simulate -d {number} --scale {scale} --seed {seed}",
        "preprocess": f"nnUNetv2_plan_and_preprocess -d {number} -c {CONFIGURATION} -np 2 -npfp 2",
        "add-target": f"intrastyler add-target -d {number} -c {CONFIGURATION} -np 2",
    }
    return [Stage(name, lambda line=line: run_command(line)) for name, line in lines.items()]


def _train(folder: Path, name: str, seed: int, iterations: int) -> None:
    recipe = CANDIDATES[name].write(folder, name)
    run_command(
        f"intrastyler pretrain -d {DATASET + seed} -c {CONFIGURATION} -o {_run_folder(folder, name, seed)} "
        f"--recipe {recipe} --preset compact --patch-size {CANDIDATES[name].patch} --iterations {iterations} "
        f"--seed {seed} -device cpu -np 0"
    )


def _run_folder(folder: Path, name: str, seed: int) -> Path:
    return folder / f"{name}_{seed}"


def _judge(folder: Path, runs: list[tuple[str, int]], iterations: int, count: int) -> dict:
    """`{candidate: {seed: measures}}` and the floors; what was judged before is read."""
    rows: dict = {name: {} for name in CANDIDATES}
    pairs, segmenter = judged_pairs(SEED, count), frozen_segmenter()
    for name, seed in runs:
        path = _run_folder(folder, name, seed) / f"judged_{iterations}_{count}.json"
        if not path.is_file():
            translator = Translator(Generator.load(path.with_name("generator.safetensors")))
            images = [translated(translator, pair.source, pair.exemplar) for pair in pairs]
            write_json(judged(images, pairs, segmenter), path)
        rows[name][seed] = json.loads(path.read_text())
    return rows | {"floors": floors(pairs, segmenter)}


def value(row: dict, measure: str) -> float:
    """A measure over all sub-datasets; of those by tissue ratio, noise and blur, their mean."""
    found = row["all"][measure]
    return float(np.mean(list(found.values()))) if isinstance(found, dict) else found


def differences(rows: dict) -> dict:
    """Candidate minus baseline: `{candidate: {measure: (mean, low, high)}}`, 95 % over seeds, paired by seed."""
    return {
        name: {
            measure: interval([value(of[seed], measure) - value(rows[BASELINE][seed], measure) for seed in of])
            for measure in MEASURES
        }
        for name, of in rows.items()
        if name != BASELINE
    }


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and the ends of its 95 % interval by the t distribution; infinite ends for one value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, -np.inf, np.inf
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    return mean, float(low), float(high)


def print_table(result: dict) -> None:
    """Means over seeds, and the floors."""
    print(f"{'':20}" + "".join(f"{measure:>18}" for measure in MEASURES))
    rows = {name: list(of.values()) for name, of in result["generators"].items()}
    for name, of in (rows | {f"floor: {name}": [row] for name, row in result["floors"].items()}).items():
        print(f"{name:20}" + "".join(f"{np.mean([value(row, m) for row in of]):18.3f}" for m in MEASURES))
    for name, of in result["differences"].items():
        print(
            f"{name} - {BASELINE}: " + ", ".join(f"{m} {v:+.3f} ({a:+.3f} to {b:+.3f})" for m, (v, a, b) in of.items())
        )


if __name__ == "__main__":
    main()
