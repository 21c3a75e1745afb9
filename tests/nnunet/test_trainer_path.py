"""nnU-Net finds the trainer in the folder that `intrastyler trainer-path` prints."""
import pickle
from pathlib import Path

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
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
