"""The demo as a list of stages, each run once: first a picture, then two trainings and what comes of them."""

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from intrastyler_nnunet.demo.look import take_look
from intrastyler_nnunet.demo.places import BASE_CONFIGURATION, CONFIGURATION, DATASET, PLANS, DemoPlaces
from intrastyler_nnunet.demo.side_by_side import predict_side_by_side, train_side_by_side
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.images import image_files
from intrastyler_nnunet.nnunet.descriptions import PlansDescription
from intrastyler_nnunet.nnunet.settings import GENERATOR_VARIABLE, SETTINGS_VARIABLE
from intrastyler_nnunet.shipped import trainers_folder
from intrastyler_nnunet.simulation.raw_dataset import simulate_dataset
from intrastyler_nnunet.typed_json import read_json
from intrastyler_nnunet.workflow import Stage, run_command

PATCH_SIZE = (16, 32, 48)  # a quarter of the image: a patch takes less time, and the cochlea is more of it
BATCH_SIZE = 4  # with one patch PyTorch takes a convolution on the CPU that is many times slower
# Otherwise glibc returns every large tensor's memory at once, and training on a CPU waits for page faults.
MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(4 << 30)}
VALIDATION_CASES = 2


@dataclass(frozen=True)
class DemoSize:
    """How much is simulated and trained."""

    first: int  # cases of each split that the first picture is made of
    cases: int | None  # of each split in all; None: what the simulation's scale "small" has
    epochs: int
    iterations: int  # of an epoch
    validation_iterations: int = 4
    narrowing: int = 2  # of nnU-Net's planned channels

    def settings(self, seed: int) -> dict:
        """Content of the trainer's settings file."""
        return {
            "seed": seed,
            "num_epochs": self.epochs,
            "num_iterations_per_epoch": self.iterations,
            "num_val_iterations_per_epoch": self.validation_iterations,
            "save_every": 1,
        }


LAPTOP = DemoSize(first=8, cases=None, epochs=10, iterations=70)
TINY = DemoSize(first=5, cases=5, epochs=3, iterations=3, validation_iterations=1)  # shows nothing: for tests


@contextmanager
def demo_environment(places: DemoPlaces, generator: Path) -> Iterator[None]:
    """Within the block, nnU-Net and the trainer, here and in what is started, use the demo's folders and generator."""
    before = dict(os.environ)
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ[name] = str(places.folder / name)
    os.environ["nnUNet_extTrainer"] = str(trainers_folder())
    os.environ["nnUNet_n_proc_DA"] = "1"
    os.environ["nnUNet_compile"] = "f"
    os.environ.update(MEMORY)
    os.environ[GENERATOR_VARIABLE] = str(generator)
    os.environ[SETTINGS_VARIABLE] = str(places.settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def demo_stages(places: DemoPlaces, generator: Path, device: str, seed: int, size: DemoSize = LAPTOP) -> list[Stage]:
    """Every stage from simulation to the report, with the minutes that each takes on two cores."""
    simulate = partial(simulate_dataset, int(DATASET), "small", seed)
    images, report = shlex.quote(str(places.tests)), shlex.quote(str(places.report))
    options = f"-d {DATASET} -c {CONFIGURATION} -g {shlex.quote(str(generator))} -device {device}"
    return [
        Stage("first-images", lambda: simulate(first=size.first), 0.2),
        Stage("look", lambda: take_look(places, generator, device), 0.5),
        Stage("simulate", lambda: simulate(first=size.cases), 0.8),
        Stage("preprocess", lambda: plan_and_preprocess(places), 0.5),
        Stage("add-target", lambda: add_target_cases(places, size, seed), 0.2),
        Stage("train", lambda: train_side_by_side(places, device, size.epochs), 7.0),
        Stage("predict", lambda: predict_side_by_side(places, device), 0.7),
        Stage("report", lambda: run_command(f"intrastyler report {options} -i {images} -o {report}"), 0.5),
    ]


def plan_and_preprocess(places: DemoPlaces) -> None:
    """nnU-Net's plans and preprocessing; what a killed one left is not trusted."""
    shutil.rmtree(places.preprocessed, ignore_errors=True)
    run_command(f"nnUNetv2_plan_and_preprocess -d {DATASET} -c {BASE_CONFIGURATION} -np 2")


def add_target_cases(places: DemoPlaces, size: DemoSize, seed: int) -> None:
    """The demo's configuration, its only fold's cases, the trainer's settings, and the target images' preprocessing."""
    add_demo_configuration(places.preprocessed / f"{PLANS}.json", narrowing=size.narrowing)
    cases = list(image_files(places.preprocessed / "gt_segmentations"))
    split = {"train": cases[:-VALIDATION_CASES], "val": cases[-VALIDATION_CASES:]}
    write_json([split], places.preprocessed / "splits_final.json")
    write_json(size.settings(seed), places.settings)
    run_command(f"intrastyler add-target -d {DATASET} -c {CONFIGURATION} -np 2")


def add_demo_configuration(
    path: Path, name: str = CONFIGURATION, patch_size: tuple[int, int, int] = PATCH_SIZE, batch_size: int = BATCH_SIZE,
    narrowing: int = 2,
) -> None:  # fmt: skip
    """Add a configuration with small patches and 3d_fullres' channels divided by `narrowing` to a plans file."""
    plans = read_json(path, PlansDescription, "an nnU-Net plans file", "allow")
    architecture = plans["configurations"][BASE_CONFIGURATION]["architecture"]
    kwargs = architecture["arch_kwargs"]
    narrow = kwargs | {"features_per_stage": [features // narrowing for features in kwargs["features_per_stage"]]}
    strides = np.prod(kwargs["strides"], axis=0)
    plans["configurations"][name] = {
        "inherits_from": BASE_CONFIGURATION,
        "patch_size": (np.ceil(patch_size / strides) * strides).astype(int).tolist(),  # what the network can halve
        "batch_size": batch_size,
        "batch_dice": True,
        "architecture": architecture | {"arch_kwargs": narrow},
    }
    write_json(plans, path)
