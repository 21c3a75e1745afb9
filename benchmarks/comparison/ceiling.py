"""The ceiling: what segmenters are worth that were trained on perfect translations, before any method's.

    nohup python -m benchmarks.comparison.ceiling &

Source subjects as three perfect translators show them (`benchmarks.quality.perfect_translators`): with the exemplar's
scanner, with one style per sub-dataset, with a single one. On each a U-Net of half nnU-Net's width is trained, tested
on true T2 images that all networks share: of seen scanners, of a scanner between them and of one beyond. How much the
networks of one kind differ says which differences between methods a comparison with as many seeds can show at all.

Ten seeds, of subjects and of networks, two at a time with a thread each: 30 networks of 2 to 4 minutes, after 3 to 5
minutes for the images of a seed: an hour to an hour and a half on two cores. The result file grows by one network at a
time; stopped at any moment, the same command goes on.
"""

import argparse
import os
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.comparison.ceiling_table import ceiling_sections
from benchmarks.comparison.endpoints import SEGMENTATION
from benchmarks.comparison.jobs import COST, work_off
from benchmarks.comparison.machine import machine
from benchmarks.comparison.plan import SCALES as SIZES
from benchmarks.comparison.results import Results
from benchmarks.comparison.simulated import TEST_SEED, TEST_SETS
from benchmarks.quality.judge import judged_pairs
from benchmarks.quality.perfect_translators import ONE_STYLE, RESCAN, SUB_DATASET, perfect_translations
from benchmarks.quality.segmenter_training import LabelledVolume, fit, segmented, small_unet
from benchmarks.quality.simulated_pairs import Image, image_of
from intrastyler_nnunet.cli.options import whole_number
from intrastyler_nnunet.demo.stages import MEMORY
from intrastyler_nnunet.errors import one_line_errors, require_none
from intrastyler_nnunet.evaluation.metrics import evaluate_case
from intrastyler_nnunet.simulation.protocols import SCANNERS
from intrastyler_nnunet.simulation.sites import in_turn, scanners_of
from intrastyler_nnunet.structures import CROSSMODA_LABELS
from intrastyler_nnunet.workers import workers

KINDS = (RESCAN, SUB_DATASET, ONE_STYLE)
FIRST_SEED = 5000  # of the simulation; that of no other training
SEEDS, STEPS, PAIRS, TESTS = 10, 700, 160, 36
WIDTH = 16  # channels at the first level; nnU-Net plans 32
CLASS_WEIGHTS = (1.0, 10.0, 10.0, 50.0)  # background, the tumour's parts, cochlea


def main() -> None:
    """Train what has no result yet, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=whole_number(2), default=SEEDS, help="more can be added later")
    parser.add_argument("--steps", type=whole_number(1), default=STEPS, help="fewer for a quick look")
    parser.add_argument("--pairs", type=whole_number(9), default=PAIRS, help="training images; fewer for a quick look")
    parser.add_argument("--tests", type=whole_number(1), default=TESTS, help="in each test set")
    parser.add_argument("--scale", choices=SIZES, default="small", help="whose grid the images have")
    parser.add_argument("--processes", type=whole_number(1), default=2, help="at once, of one thread each")
    output = Path(__file__).parents[1] / "results" / "ceiling.jsonl"
    parser.add_argument("-o", dest="output", type=Path, default=output, help="result file")
    arguments = parser.parse_args()
    with one_line_errors("benchmarks.comparison.ceiling"):
        size = {name: getattr(arguments, name) for name in ("steps", "pairs", "tests", "scale")}
        results = Results(arguments.output.absolute())
        results.start(size)
        os.environ.update(MEMORY, OMP_NUM_THREADS="1")
        jobs = [partial(train_kinds, results, seed, **size) for seed in range(arguments.seeds)]
        with workers(arguments.processes) as pool:
            problems = work_off(jobs, pool, lambda: None)
        require_none(problems, "seeds that failed; the others are done")
        print("\n\n".join(ceiling_sections(results)))


def train_kinds(results: Results, seed: int, steps: int, pairs: int, tests: int, scale: str) -> None:
    """Train and test a network of each kind that has no result of this seed yet."""
    left = [kind for kind in KINDS if not results.hold(COST, kind, seed)]
    if not left:
        return
    grid = SIZES[scale].grid
    training = training_images(seed, pairs, grid)
    true_t2 = test_images(tests, grid)
    for kind in left:
        begun = time.process_time()
        torch.manual_seed(seed)
        network = small_unet(len(CLASS_WEIGHTS), WIDTH)
        fit(network, training[kind], steps, seed, CLASS_WEIGHTS, columns=len(training[kind][0][0]) // 2)
        rows = scores(network.eval(), true_t2)
        results.put(rows, table=SEGMENTATION, method=kind, seed=seed)
        cost = {"seconds": round(time.process_time() - begun, 1), **machine("cpu")}
        results.put([cost], table=COST, kind="network", method=kind, seed=seed)


def training_images(seed: int, count: int, grid: str) -> dict[str, list[LabelledVolume]]:
    """`count` perfect translations of each kind, of count / 4 source subjects, with the sources' labels."""
    pairs = judged_pairs(FIRST_SEED + seed, count, grid)
    scanners = {key: SCANNERS[key[1]] for key in scanners_of("target", seen_only=True)}
    return {
        kind: [(image, pair.source.anatomy.labels) for image, pair in zip(images, pairs, strict=True)]
        for kind, images in perfect_translations(pairs, scanners).items()
    }


def test_images(count: int, grid: str) -> dict[str, list[Image]]:
    """True T2 images of each test set but the unseen head's, scanners in turn: the same for all networks."""
    sets, first = {}, 0
    for name, sites, _ in TEST_SETS[:-1]:
        turns = enumerate(in_turn(sites, count), start=first)
        sets[name] = [image_of(TEST_SEED, n, site, scale=grid, scanner=scanner) for n, (site, scanner) in turns]
        first += count
    return sets


def scores(network: torch.nn.Module, true_t2: dict[str, list[Image]]) -> list[dict]:
    """A row per test image, as a comparison's: Dice and ASSD of every structure, and of the boundary."""
    return [
        {"test_set": name, "case": number, **_case_scores(segmented(network, image.volume), image)}
        for name, images in true_t2.items()
        for number, image in enumerate(images)
    ]


def _case_scores(found: np.ndarray, image: Image) -> dict:
    anatomy = image.anatomy
    return asdict(evaluate_case(found, anatomy.labels, anatomy.grid.spacing, CROSSMODA_LABELS))


if __name__ == "__main__":
    main()
