"""nnU-Net finds the trainer in the folder that `intrastyler trainer-path` prints."""

import os
import pickle
from pathlib import Path

import pytest
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerDA5 import nnUNetTrainerDA5
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.demo.places import TRAINERS
from intrastyler_nnunet.nnunet.short_training import nnUNetTrainerShort
from intrastyler_nnunet.shipped import trainers_folder


def test_nnunet_finds_a_class_that_can_be_pickled(capsys, monkeypatch):
    main(["trainer-path"])
    folder = capsys.readouterr().out.strip()
    assert not (Path(folder) / "setup.py").exists()
    monkeypatch.setenv("nnUNet_extTrainer", folder)
    trainer = recursive_find_trainer_class_by_name("nnUNetTrainerIntraStyler")
    assert issubclass(trainer, nnUNetTrainer)
    assert pickle.loads(pickle.dumps(trainer)) is trainer


@pytest.fixture
def trainer_path(capsys, monkeypatch):
    """nnU-Net looks for trainers in the printed folder."""
    main(["trainer-path"])
    monkeypatch.setenv("nnUNet_extTrainer", capsys.readouterr().out.strip())


@pytest.mark.parametrize(("name", "epochs"), [("_1epoch", 1), ("_250epochs", 250), ("_8000epochs", 8000)])
def test_nnunet_finds_trainers_by_their_number_of_epochs(trainer_path, name, epochs):
    trainer = recursive_find_trainer_class_by_name(f"nnUNetTrainerIntraStyler{name}")
    assert trainer.choose_settings(None).num_epochs == epochs
    assert pickle.loads(pickle.dumps(trainer)) is trainer


def test_nnunet_finds_its_own_trainers_on_translations_and_ones_own(trainer_path, tmp_path, monkeypatch):
    trainer = recursive_find_trainer_class_by_name("nnUNetTrainerIntraStylerDA5")
    assert trainer.__mro__[2] is nnUNetTrainerDA5
    assert pickle.loads(pickle.dumps(trainer)) is trainer
    with pytest.raises(RuntimeError, match="Could not find requested nnunet trainer nnUNetTrainerIntraStylerDA6"):
        recursive_find_trainer_class_by_name("nnUNetTrainerIntraStylerDA6")
    (tmp_path / "own.py").write_text(
        "from intrastyler_nnunet import with_intrastyler\n"
        "from nnunetv2.training.nnUNetTrainer.variants.network_architecture.nnUNetTrainerBN import nnUNetTrainerBN\n"
        "class MyTrainer(with_intrastyler(nnUNetTrainerBN)):\n    pass\n"
    )
    monkeypatch.setenv("nnUNet_extTrainer", os.pathsep.join((str(trainers_folder()), str(tmp_path))))
    assert recursive_find_trainer_class_by_name("MyTrainer").__mro__[1].__name__ == "nnUNetTrainerIntraStylerBN"


@pytest.mark.parametrize("trainer_of_demo", TRAINERS.values())
def test_nnunet_finds_the_demos_trainers_which_train_for_minutes(trainer_path, trainer_of_demo):
    names = (trainer_of_demo.removesuffix("Short"), trainer_of_demo)
    plain, trainer = map(recursive_find_trainer_class_by_name, names)
    assert trainer.choose_settings is plain.choose_settings
    assert trainer.train_step is plain.train_step  # translation, then the short training's step
    assert trainer.configure_optimizers is nnUNetTrainerShort.configure_optimizers
    assert pickle.loads(pickle.dumps(trainer)) is trainer
