"""The tiny dataset with a generator, a model that was trained for a moment, and images of a new scanner."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from tiny_dataset import CONFIGURATION, TinyDataset, write_image

from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler

SYNTHESIZER = f"IntraStyler__nnUNetPlans__{CONFIGURATION}"
LENGTHS = {"num_epochs": 1, "num_iterations_per_epoch": 2, "num_val_iterations_per_epoch": 1}


@dataclass(frozen=True)
class TrainedTinyDataset(TinyDataset):
    """With a generator, a model and images of a new scanner."""

    @property
    def generator(self) -> Path:
        return self.results / SYNTHESIZER / "generator.safetensors"

    @property
    def model(self) -> Path:
        return self.results / f"nnUNetTrainerIntraStyler__nnUNetPlans__{CONFIGURATION}"

    @property
    def adapted(self) -> Path:
        return self.results / f"nnUNetTrainerIntraStylerAdapted__nnUNetPlans__{CONFIGURATION}"

    @property
    def new_images(self) -> Path:
        return self.root / "new_images"


def train_tiny(dataset: TinyDataset, settings_file: Path, fold: int | str = 0, **settings) -> None:
    """Train by the plug-in; nnU-Net's variables point to the dataset."""
    settings_file.write_text(json.dumps(LENGTHS | settings))
    plans = json.loads((dataset.preprocessed / "nnUNetPlans.json").read_text())
    dataset_json = json.loads((dataset.preprocessed / "dataset.json").read_text())
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("nnUNet_n_proc_DA", "0")
        monkeypatch.setenv("INTRASTYLER_SETTINGS", str(settings_file))
        monkeypatch.delenv("INTRASTYLER_GENERATOR", raising=False)
        trainer = nnUNetTrainerIntraStyler(
            plans | {"continue_training": False}, CONFIGURATION, fold, dataset_json, torch.device("cpu")
        )
        trainer.run_training()


def write_new_images(dataset: TrainedTinyDataset, count: int = 2) -> None:
    """Target images of a scanner with a little less contrast."""
    for number in range(count):
        image = SimpleITK.ReadImage(str(dataset.raw / "imagesTarget" / f"target_{number}_0000.nii.gz"))
        array = SimpleITK.GetArrayFromImage(image)
        write_image(dataset.new_images / f"new_{number}_0000.nii.gz", np.sign(array) * np.abs(array) ** 0.95)
