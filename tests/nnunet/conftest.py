"""A trainer for the tiny dataset."""

import json

import pytest
import torch
from tiny_dataset import CONFIGURATION, tiny_generator

from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler


@pytest.fixture
def make_trainer(own_dataset, tmp_path, monkeypatch):
    """Makes an uninitialised trainer for the tiny dataset, with a generator and the given settings."""
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")
    monkeypatch.setenv("INTRASTYLER_GENERATOR", str(tmp_path / "generator.safetensors"))
    tiny_generator().save(tmp_path / "generator.safetensors")

    def make(**settings) -> nnUNetTrainerIntraStyler:
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        monkeypatch.setenv("INTRASTYLER_SETTINGS", str(tmp_path / "settings.json"))
        plans = json.loads((own_dataset.preprocessed / "nnUNetPlans.json").read_text())
        dataset_json = json.loads((own_dataset.preprocessed / "dataset.json").read_text())
        return nnUNetTrainerIntraStyler(
            plans | {"continue_training": False}, CONFIGURATION, 0, dataset_json, torch.device("cpu")
        )

    return make
