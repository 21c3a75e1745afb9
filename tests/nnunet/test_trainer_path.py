"""nnU-Net finds the trainer in the folder that `intrastyler trainer-path` prints."""
import pickle
from pathlib import Path

import pytest
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.optimizer.nnUNetTrainerAdam import nnUNetTrainerAdam1en3
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from intrastyler_nnunet.cli import main


def test_nnunet_finds_a_class_that_can_be_pickled(capsys, monkeypatch):
    main(["trainer-path"])
    folder = capsys.readouterr().out.strip()
    assert not (Path(folder) / "setup.py").exists()
    monkeypatch.setenv("nnUNet_extTrainer", folder)
    trainer = recursive_find_trainer_class_by_name("nnUNetTrainerIntraStyler")
    assert issubclass(trainer, nnUNetTrainer)
    assert pickle.loads(pickle.dumps(trainer)) is trainer


@pytest.mark.parametrize(("name", "epochs"), [("_1epoch", 1), ("_250epochs", 250), ("_8000epochs", 8000)])
def test_nnunet_finds_trainers_by_their_number_of_epochs(capsys, monkeypatch, name, epochs):
    main(["trainer-path"])
    monkeypatch.setenv("nnUNet_extTrainer", capsys.readouterr().out.strip())
    trainer = recursive_find_trainer_class_by_name(f"nnUNetTrainerIntraStyler{name}")
    assert trainer.choose_settings(None).num_epochs == epochs
    assert pickle.loads(pickle.dumps(trainer)) is trainer


@pytest.mark.parametrize("name", ["", "NoTranslation"])
def test_nnunet_finds_trainers_with_its_own_adamw(capsys, monkeypatch, name):
    main(["trainer-path"])
    monkeypatch.setenv("nnUNet_extTrainer", capsys.readouterr().out.strip())
    plain, trainer = (
        recursive_find_trainer_class_by_name(f"nnUNetTrainerIntraStyler{name}{end}") for end in ("", "Adam1en3")
    )
    assert trainer.choose_settings is plain.choose_settings and trainer.train_step is plain.train_step
    assert trainer.configure_optimizers is nnUNetTrainerAdam1en3.configure_optimizers
    assert trainer.__init__ is nnUNetTrainerAdam1en3.__init__  # sets the learning rate
    assert pickle.loads(pickle.dumps(trainer)) is trainer
