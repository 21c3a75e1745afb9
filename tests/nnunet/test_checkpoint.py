"""The trainer's checkpoints: nnU-Net's own content under its own trainer's name, written once and whole."""

import resource
import signal
import sys
from pathlib import Path

import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from tiny_dataset import CONFIGURATION

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.checkpoints import check_version

FILES_OPENED: list[tuple[Path, str]] = []  # path and mode of every file that Python opens


def remember_opened(event: str, arguments: tuple) -> None:
    if event == "open" and isinstance(arguments[0], str | Path):
        FILES_OPENED.append((Path(arguments[0]), arguments[1]))


@pytest.fixture
def trainer(make_trainer):
    trainer = make_trainer()
    trainer.initialize()
    return trainer


def test_checkpoints_name_nnunets_trainer_and_are_whole(trainer, tmp_path):
    own = type(trainer)
    trainer.save_checkpoint(str(tmp_path / "checkpoint.pth"))
    checkpoint = torch.load(tmp_path / "checkpoint.pth", weights_only=False)
    assert checkpoint["trainer_name"] == nnUNetTrainer.__name__
    assert type(trainer) is own
    assert checkpoint["init_args"]["configuration"] == CONFIGURATION
    for name, weights in trainer.network.state_dict().items():
        assert torch.equal(checkpoint["network_weights"][name], weights)
    assert not list(tmp_path.glob(".writing*"))
    trainer.disable_checkpointing = True
    trainer.save_checkpoint(str(tmp_path / "other.pth"))
    assert not (tmp_path / "other.pth").exists()


def test_a_checkpoint_is_written_once_and_not_read(trainer, tmp_path):
    sys.addaudithook(remember_opened)
    FILES_OPENED.clear()
    trainer.save_checkpoint(str(tmp_path / "checkpoint.pth"))
    opened = [mode for path, mode in FILES_OPENED if path.name == "checkpoint.pth"]
    assert [mode[0] for mode in opened] == ["w"]


def test_a_full_disk_is_one_line_and_the_old_checkpoint_stays(trainer, tmp_path, capsys):
    path = tmp_path / "checkpoint.pth"
    trainer.save_checkpoint(str(path))
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))  # no file may grow larger
    try:
        with pytest.raises(SystemExit) as stop:
            trainer.save_checkpoint(str(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    line = capsys.readouterr().err
    assert stop.value.code == 2
    assert line.count("\n") == 1
    assert f"{path}: cannot be written (File too large)" in line
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".writing*"))


def test_versions_of_nnunet_that_pad_otherwise_are_refused():
    for version in ("2.6.2", "2.6", "1.7.1"):
        with pytest.raises(InputError, match=rf"^nnU-Net {version} labels padding as background, expected 2\.7"):
            check_version(version)
    for version in ("2.7", "2.7.0", "2.8.1", "3.0"):
        check_version(version)
