"""The demo as a list of real commands, each run once."""

import os
import shlex
from pathlib import Path

import numpy as np

from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.images import image_files
from intrastyler_nnunet.nnunet.descriptions import PlansDescription
from intrastyler_nnunet.nnunet.settings import GENERATOR_VARIABLE, SETTINGS_VARIABLE
from intrastyler_nnunet.shipped import trainers_folder
from intrastyler_nnunet.typed_json import read_json
from intrastyler_nnunet.workflow import Stage, run_command

DATASET, NAME, PLANS = "990", "Dataset990_SimCrossMoDA", "nnUNetPlans"
CONFIGURATION, BASE_CONFIGURATION = "3d_demo", "3d_fullres"
TRAINERS = {  # with AdamW: in so short a training, SGD finds the cochlea only by chance
    "NoAdapt": "nnUNetTrainerIntraStylerNoTranslationAdam1en3", "IntraStyler": "nnUNetTrainerIntraStylerAdam1en3",
}  # fmt: skip
SEED = 7  # the shipped generator was trained on another seed's subjects
PATCH_SIZE = (16, 32, 48)  # a quarter of the image: a patch takes less time, and the cochlea is more of it
BATCH_SIZE = 4  # with one patch PyTorch takes a convolution on the CPU that is many times slower
# Otherwise glibc returns every large tensor's memory at once, and training on a CPU waits for page faults.
MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(4 << 30)}
VALIDATION_CASES = 2  # each is predicted once for every style, which takes longer than two epochs
TRAINING = {"num_epochs": 50, "num_iterations_per_epoch": 50, "num_val_iterations_per_epoch": 4, "save_every": 5}


def set_environment(folder: Path, generator: Path) -> None:
    """Point nnU-Net and the trainer, in this process and in those it starts, at the demo's folders and generator."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ[name] = str(folder / name)
    os.environ["nnUNet_extTrainer"] = str(trainers_folder())
    os.environ["nnUNet_n_proc_DA"] = "1"  # two cores: one augments, both train
    os.environ["nnUNet_compile"] = "f"
    os.environ.update(MEMORY)
    os.environ[GENERATOR_VARIABLE] = str(generator)
    os.environ[SETTINGS_VARIABLE] = str(folder / "training.json")


def demo_stages(folder: Path, generator: Path, device: str) -> list[Stage]:
    """Every stage from simulation to predictions and the report."""

    def stage(name: str, line: str) -> Stage:
        return Stage(name, lambda: run_command(line))

    stages = [
        stage("simulate", f"intrastyler simulate -d {DATASET} --scale small --seed {SEED} -np 2"),
        stage("preprocess", f"nnUNetv2_plan_and_preprocess -d {DATASET} -c {BASE_CONFIGURATION} -np 2"),
        Stage("configure", lambda: configure(folder)),
        stage("add-target", f"intrastyler add-target -d {DATASET} -c {CONFIGURATION} -np 2"),
    ]
    images = shlex.quote(str(folder / "nnUNet_raw" / NAME / "imagesTs"))
    for method, trainer in TRAINERS.items():
        predictions = shlex.quote(str(folder / "predictions" / method))
        model = f"-d {DATASET} -c {CONFIGURATION} -f 0 -tr {trainer} -device {device}"
        stages += [
            Stage(f"train-{method}", lambda trainer=trainer: train_fold(folder, trainer, device)),
            stage(
                f"predict-{method}",
                f"nnUNetv2_predict -i {images} -o {predictions} {model} --disable_tta -npp 1 -nps 1",
            ),
        ]
    report = shlex.quote(str(folder / "report.html"))
    options = f"-d {DATASET} -c {CONFIGURATION} -g {shlex.quote(str(generator))} -device {device}"
    return [*stages, stage("report", f"intrastyler report {options} -i {images} -o {report}")]


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


def configure(folder: Path) -> None:
    """Write the demo's configuration, its only fold's cases and the trainer's settings."""
    preprocessed = folder / "nnUNet_preprocessed" / NAME
    add_demo_configuration(preprocessed / f"{PLANS}.json")
    cases = list(image_files(preprocessed / "gt_segmentations"))
    split = {"train": cases[:-VALIDATION_CASES], "val": cases[-VALIDATION_CASES:]}
    write_json([split], preprocessed / "splits_final.json")
    write_json(TRAINING, folder / "training.json")


def train_fold(folder: Path, trainer: str, device: str) -> None:
    """Train fold 0, or go on where an interrupted training stopped."""
    output = folder / "nnUNet_results" / NAME / f"{trainer}__{PLANS}__{CONFIGURATION}" / "fold_0"
    resume = " --c" if (output / "checkpoint_latest.pth").exists() else ""
    run_command(f"nnUNetv2_train {DATASET} {CONFIGURATION} 0 -tr {trainer} -device {device}{resume}")
