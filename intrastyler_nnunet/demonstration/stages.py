"""The demo as a list of real commands, each run once."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import read_json, write_json
from intrastyler_nnunet.nnunet.settings import GENERATOR_VARIABLE, SETTINGS_VARIABLE

DATASET, NAME, PLANS = "990", "Dataset990_SimCrossMoDA", "nnUNetPlans"
CONFIGURATION, BASE_CONFIGURATION = "3d_demo", "3d_fullres"
TRAINERS = {"NoAdapt": "nnUNetTrainerIntraStylerNoTranslation", "IntraStyler": "nnUNetTrainerIntraStyler"}
SEED = 7  # the shipped generator was trained on another seed's subjects
TRAINING = {"num_epochs": 12, "num_iterations_per_epoch": 50, "num_val_iterations_per_epoch": 4, "save_every": 2}


@dataclass(frozen=True)
class Stage:
    """A named piece of work; it is skipped once its marker says that it was finished."""

    name: str
    run: Callable[[], None]


def run_stages(stages: list[Stage], folder: Path) -> None:
    """Run the stages that are not finished yet; a marker per finished stage is kept in `folder`/finished."""
    for number, stage in enumerate(stages, start=1):
        marker = folder / "finished" / stage.name
        title = f"[{number}/{len(stages)}] {stage.name}"
        if marker.exists():
            print(f"{title}: done before", flush=True)
            continue
        print(f"\n{title}", flush=True)
        stage.run()
        marker.parent.mkdir(exist_ok=True)
        marker.touch()


def nnunet_environment(folder: Path, generator: Path) -> dict[str, str]:
    """Environment of the demo's commands: nnU-Net's folders below `folder`, few processes."""
    from intrastyler_nnunet.cli.trainer_path import trainers_folder

    folders = {name: str(folder / name) for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}
    return os.environ | folders | {
        "nnUNet_extTrainer": str(trainers_folder()),
        "nnUNet_n_proc_DA": "1",
        "nnUNet_compile": "f",
        GENERATOR_VARIABLE: str(generator),
        SETTINGS_VARIABLE: str(folder / "training.json"),
    }  # fmt: skip


def command(name: str, *arguments: str, environment: dict[str, str]) -> None:
    """Run an installed command; its output goes to this terminal.

    Raises:
        InputError: the command failed; its own message stands above.
    """
    executable = Path(sys.executable).with_name(name)
    finished = subprocess.run([str(executable), *arguments], env=environment)
    if finished.returncode:
        raise InputError(f"`{name} {' '.join(arguments)}` ended with exit code {finished.returncode}, see above")


def demo_stages(folder: Path, generator: Path, device: str) -> list[Stage]:
    """Every stage from simulation to predictions."""
    environment = nnunet_environment(folder, generator)

    def stage(name: str, *arguments: str) -> Stage:
        return Stage(name, lambda: command(*arguments, environment=environment))

    stages = [
        stage(
            "simulate", "intrastyler", "simulate", "-d", DATASET, "--scale", "small", "--seed", str(SEED), "-np", "2"
        ),
        stage("preprocess", "nnUNetv2_plan_and_preprocess", "-d", DATASET, "-c", BASE_CONFIGURATION, "-np", "2"),
        Stage("configure", lambda: write_demo_configuration(folder)),
        stage("add-target", "intrastyler", "add-target", "-d", DATASET, "-c", CONFIGURATION, "-np", "2"),
    ]
    images = str(folder / "nnUNet_raw" / NAME / "imagesTs")
    for method, trainer in TRAINERS.items():
        stages += [
            Stage(f"train-{method}", lambda trainer=trainer: _train(folder, trainer, device, environment)),
            stage(
                f"predict-{method}", "nnUNetv2_predict", "-i", images, "-o", str(folder / "predictions" / method),
                "-d", DATASET, "-c", CONFIGURATION, "-f", "0", "-tr", trainer, "-device", device, "-npp", "1", "-nps", "1",
            ),
        ]  # fmt: skip
    return stages


def write_demo_configuration(folder: Path) -> None:
    """Add a configuration with a quarter of 3d_fullres' channels to the plans, and the length of the training."""
    path = folder / "nnUNet_preprocessed" / NAME / f"{PLANS}.json"
    plans = read_json(path)
    architecture = plans["configurations"][BASE_CONFIGURATION]["architecture"]
    kwargs = architecture["arch_kwargs"]
    narrow = kwargs | {"features_per_stage": [features // 2 for features in kwargs["features_per_stage"]]}
    plans["configurations"][CONFIGURATION] = {
        "inherits_from": BASE_CONFIGURATION,
        "architecture": architecture | {"arch_kwargs": narrow},
    }
    write_json(plans, path)
    write_json(TRAINING, folder / "training.json")


def _train(folder: Path, trainer: str, device: str, environment: dict[str, str]) -> None:
    output = folder / "nnUNet_results" / NAME / f"{trainer}__{PLANS}__{CONFIGURATION}" / "fold_0"
    resume = ["--c"] if (output / "checkpoint_latest.pth").exists() else []
    command(
        "nnUNetv2_train", DATASET, CONFIGURATION, "0", "-tr", trainer, "-device", device, *resume, environment=environment
    )  # fmt: skip
