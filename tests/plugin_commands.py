"""nnU-Net's commands on the tiny dataset: training with the plug-in, prediction where it is not installed."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from tiny_dataset import CONFIGURATION, TinyDataset, run_command

from intrastyler_nnunet.shipped import trainers_folder

TRAINER = "nnUNetTrainerIntraStyler"
REPOSITORY = Path(__file__).parents[1]
SHORT = {"num_epochs": 1, "num_iterations_per_epoch": 2, "num_val_iterations_per_epoch": 1, "save_every": 1}


def with_plugin(dataset: TinyDataset, root: Path) -> dict[str, str]:
    """Environment of a training; its settings are `root`/settings.json."""
    return {
        **dataset.environment,
        "PYTHONPATH": str(REPOSITORY),
        "nnUNet_extTrainer": str(trainers_folder()),
        "nnUNet_compile": "f",
        "nnUNet_def_n_proc": "1",
        "INTRASTYLER_SETTINGS": str(root / "settings.json"),
    }


def without_plugin(dataset: TinyDataset, root: Path) -> dict[str, str]:
    """A package of our name that cannot be imported stands in for an environment without the plug-in."""
    broken = root / "without" / "intrastyler_nnunet"
    broken.mkdir(parents=True, exist_ok=True)
    (broken / "__init__.py").write_text("raise ImportError('not installed')")
    return {**dataset.environment, "PYTHONPATH": str(broken.parent)}


def train(
    environment: dict[str, str], settings: dict, *options: str, configuration: str = CONFIGURATION, fold: str = "0",
    trainer: str = TRAINER,
) -> None:  # fmt: skip
    """`nnUNetv2_train` on the CPU with these settings."""
    Path(environment["INTRASTYLER_SETTINGS"]).write_text(json.dumps(settings))
    command = ("nnUNetv2_train", "998", configuration, fold, "-tr", trainer, "-device", "cpu", *options)
    run_command(*command, environment=environment)


def predict(
    environment: dict[str, str], images: Path, output: Path, *options: str, configuration: str = CONFIGURATION,
    fold: str = "0", trainer: str = TRAINER, checkpoint: str = "checkpoint_final.pth",
) -> None:  # fmt: skip
    """`nnUNetv2_predict` on the CPU."""
    run_command(
        "nnUNetv2_predict", "-d", "998", "-i", images, "-o", output, "-c", configuration, "-f", fold,
        "-tr", trainer, "-chk", checkpoint, "-device", "cpu", "-npp", "1", "-nps", "1", *options,
        environment=environment, folder=output.parent,
    )  # fmt: skip


def segmentations(folder: Path) -> dict[str, np.ndarray]:
    """Predicted label maps by case."""
    files = sorted(folder.glob("*.nii.gz"))
    return {path.name.removesuffix(".nii.gz"): sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in files}


def losses(fold: Path, names: Sequence[str] = ("train_losses", "val_losses")) -> dict[str, list[float]]:
    """Loss curves in the final checkpoint of a training."""
    import torch

    logging = torch.load(fold / "checkpoint_final.pth", map_location="cpu", weights_only=False)["logging"]
    return {name: [float(value) for value in logging[name]] for name in names}
