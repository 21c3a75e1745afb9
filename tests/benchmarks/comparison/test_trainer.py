"""The comparison's trainer gives the same weights again, also when it is interrupted."""

import json

import pytest
import torch
from tiny_dataset import CONFIGURATION, tiny_generator

from benchmarks.comparison.trainer import nnUNetTrainerRepeatable, nnUNetTrainerShort


@pytest.fixture
def trainer_of(own_dataset, tmp_path, monkeypatch):
    """Makes a trainer of two epochs whose results go to the folder named."""
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")
    monkeypatch.setenv("nnUNet_compile", "f")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("INTRASTYLER_GENERATOR", raising=False)
    monkeypatch.setenv("INTRASTYLER_SETTINGS", str(tmp_path / "settings.json"))
    tiny_generator().save(tmp_path / "generator.safetensors")
    plans = json.loads((own_dataset.preprocessed / "nnUNetPlans.json").read_text())
    dataset_json = json.loads((own_dataset.preprocessed / "dataset.json").read_text())

    def make(results: str, resume=False, trainer=nnUNetTrainerRepeatable, **settings) -> nnUNetTrainerRepeatable:
        monkeypatch.setenv("nnUNet_results", str(tmp_path / results))
        settings |= {
            "generator": str(tmp_path / "generator.safetensors"), "num_epochs": 2, "num_iterations_per_epoch": 2,
            "num_val_iterations_per_epoch": 1, "save_every": 1,
        }  # fmt: skip
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        return trainer(plans | {"continue_training": resume}, CONFIGURATION, "all", dataset_json, torch.device("cpu"))

    return make


@pytest.fixture
def weights(trainer_of):
    """Trains for two epochs, or one, or the second, and returns the network's weights."""

    def train(results: str, seed: int = 3, stop: bool = False, resume: bool = False) -> torch.Tensor:
        trainer = trainer_of(results, resume, seed=seed)
        if stop:
            trainer.on_epoch_end = stopping_after(trainer.on_epoch_end)
        if resume:
            trainer.load_checkpoint(f"{trainer.output_folder}/checkpoint_latest.pth")
        trainer.run_training()
        trainer.perform_actual_validation()
        return vector(trainer)

    return train


def vector(trainer: nnUNetTrainerRepeatable) -> torch.Tensor:
    """The network's weights as one vector."""
    return torch.cat([weight.detach().flatten() for weight in trainer.network.parameters()])


def stopping_after(on_epoch_end):
    """Ends the training by Ctrl-C after its first epoch."""

    def stop():
        on_epoch_end()
        raise KeyboardInterrupt

    return stop


def test_the_same_weights_again_and_after_an_interruption(weights):
    torch.manual_seed(1)
    first = weights("first")
    torch.manual_seed(2)
    assert torch.equal(weights("second"), first)
    with pytest.raises(KeyboardInterrupt):
        weights("third", stop=True)
    assert torch.equal(weights("third", resume=True), first)
    assert not torch.equal(weights("fourth", seed=4), first)


def test_the_same_weights_at_the_start_whether_translated_or_not(trainer_of):
    translated, as_they_are = trainer_of("first", seed=3), trainer_of("second", seed=3, p_translate=0.0)
    translated.initialize()
    as_they_are.initialize()
    assert torch.equal(vector(translated), vector(as_they_are))


def test_a_short_training_has_adamw(trainer_of):
    trainer = trainer_of("short", trainer=nnUNetTrainerShort)
    trainer.initialize()
    assert type(trainer.optimizer) is torch.optim.AdamW
    assert trainer.optimizer.param_groups[0]["lr"] == 1e-3
