"""The simulated data: training images of every seed, the Oracle's labelled ones, and the test sets that all share."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from benchmarks.comparison.plan import Scale
from intrastyler_nnunet.files import remove_half_written, write_json
from intrastyler_nnunet.simulation.plan import TRAINING_HEADS, Case, plan_paired, plan_split
from intrastyler_nnunet.simulation.raw_dataset import dataset_json, write_all, write_case
from intrastyler_nnunet.simulation.sites import sites_by_share, sites_of

TEST_SEED = 4040  # of the simulation; no training has it
# Name, sites and heads; the sites of the last one have exemplars, its head has none.
TEST_SETS = (
    ("seen scanners", sites_by_share("target"), TRAINING_HEADS),
    ("interpolation", ["target_interpolation"], TRAINING_HEADS),
    ("extrapolation", ["target_extrapolation"], TRAINING_HEADS),
    ("unseen head", sites_by_share("target"), ("mni2009c",)),
)


def training_cases(scale: Scale, seed: int) -> list[Case]:
    """Labelled source and unlabelled target cases, each of its own subject."""
    source = plan_split("source", scale.source, sites_by_share("source"), seed, 0, TRAINING_HEADS)
    return source + plan_split("target", scale.target, sites_by_share("target"), seed, scale.source, TRAINING_HEADS)


def cases_by_test_set(scale: Scale) -> dict[str, list[Case]]:
    """The cases of every test set, each of its own subject, named after their set."""
    sets = {}
    for number, (name, sites, heads) in enumerate(TEST_SETS):
        cases = plan_split("test", scale.test, sites, TEST_SEED, number * scale.test, heads)
        sets[name] = [replace(case, case=case.case.replace("test", name.replace(" ", "_"))) for case in cases]
    return sets


def oracle_cases(scale: Scale, seed: int) -> list[Case]:
    """The source subjects at every seen target site, with labels."""
    source = [case for case in training_cases(scale, seed) if case.split == "source"]
    return [replace(case, split="source") for case in plan_paired(source, sites_of("target", seen_only=True), seed)]


def simulate_training(scale: Scale, seed: int, raw: Path) -> None:
    """Write the data set in nnU-Net's raw format, with sites.json."""
    cases = training_cases(scale, seed)
    write_json({"seed": seed, "cases": [asdict(case) for case in cases]}, raw / "sites.json")
    _write(cases, raw, scale, seed)
    write_json(dataset_json(scale.source), raw / "dataset.json")


def simulate_tests(scale: Scale, folder: Path) -> None:
    """Write imagesTs, labelsTs and test_sets.json, which has each case's test set."""
    sets = cases_by_test_set(scale)
    _write([case for cases in sets.values() for case in cases], folder, scale, TEST_SEED)
    write_json({case.case: name for name, cases in sets.items() for case in cases}, folder / "test_sets.json")


def simulate_oracle(scale: Scale, seed: int, raw: Path) -> None:
    """Write the Oracle's data set in nnU-Net's raw format."""
    cases = oracle_cases(scale, seed)
    _write(cases, raw, scale, seed)
    write_json(dataset_json(len(cases)), raw / "dataset.json")


def _write(cases: Sequence[Case], folder: Path, scale: Scale, seed: int) -> None:
    remove_half_written(folder)
    write_all(partial(write_case, folder=folder, scale=scale.grid, seed=seed), list(cases), processes=1)
