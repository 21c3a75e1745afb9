"""Trainings of minutes: their learning rates, and that they are the same every time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_dataset import CONFIGURATION, tiny_generator

from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.nnunet.short_training import HIGHEST_RATE, OneCycle, one_cycle
from intrastyler_nnunet.nnunet.trainer_variants import nnUNetTrainerIntraStylerShort


def test_the_learning_rate_is_that_of_torchs_one_cycle():
    weights = [torch.nn.Parameter(torch.zeros(1))]
    ours, theirs = (torch.optim.AdamW(weights, 1.0) for _ in range(2))
    epochs, iterations = 10, 20
    schedule = torch.optim.lr_scheduler.OneCycleLR(theirs, HIGHEST_RATE, total_steps=epochs * iterations + 1)
    cycle = OneCycle(ours, epochs)
    for step in range(epochs * iterations):
        cycle.step(step / iterations)
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], rel=0.02), step
        theirs.step()
        schedule.step()
    assert one_cycle(0.3) == 1.0
    assert one_cycle(1.0) == pytest.approx(1e-4 / 25)


def trained(interrupted: bool = False) -> Path:
    """The folder of a training that goes on from its last checkpoint; interrupted, it writes one and stops."""
    from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint

    trainer = get_trainer_from_args(
        "998", CONFIGURATION, 0, nnUNetTrainerIntraStylerShort.__name__, device=torch.device("cpu")
    )
    fold = Path(trainer.output_folder)
    maybe_load_checkpoint(trainer, (fold / "checkpoint_latest.pth").exists(), False)
    if interrupted:
        save = trainer.save_checkpoint

        def save_and_stop(filename):
            save(filename)
            raise KeyboardInterrupt

        trainer.save_checkpoint = save_and_stop
        with pytest.raises(KeyboardInterrupt):
            trainer.run_training()
    else:
        trainer.run_training()
    return fold


def test_an_interrupted_training_has_the_weights_of_a_whole_one(own_dataset, tmp_path, monkeypatch):
    from intrastyler_nnunet.shipped import trainers_folder

    tiny_generator().save(tmp_path / "generator.safetensors")
    settings = {"num_epochs": 3, "num_iterations_per_epoch": 2, "num_val_iterations_per_epoch": 1, "save_every": 1}
    write_json(settings, tmp_path / "settings.json")
    monkeypatch.setenv("INTRASTYLER_GENERATOR", str(tmp_path / "generator.safetensors"))
    monkeypatch.setenv("INTRASTYLER_SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setenv("nnUNet_extTrainer", str(trainers_folder()))
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")
    monkeypatch.setenv("nnUNet_compile", "f")
    whole = trained()
    kept = whole.rename(tmp_path / "whole")
    np.random.seed(5)  # whatever was drawn before does not matter
    torch.manual_seed(5)
    trained(interrupted=True)
    again = trained()
    assert not (again / "checkpoint_best.pth").exists()
    first, second = (
        torch.load(fold / "checkpoint_final.pth", weights_only=False)["network_weights"] for fold in (kept, again)
    )
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name
