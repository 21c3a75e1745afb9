"""Devices are chosen by themselves; one that is asked for and not there is refused."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fake_cuda import fake_cuda
from torch.utils._python_dispatch import TorchDispatchMode

from intrastyler_nnunet.cli import COMMANDS, build_parser, main
from intrastyler_nnunet.devices import DEVICES, chosen_device, moved_together
from intrastyler_nnunet.errors import InputError


class CountingCopies(TorchDispatchMode):
    """Remembers copies from one device to another."""

    def __init__(self, copies: list):
        super().__init__()
        self.copies = copies

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        if function is torch.ops.aten._to_copy.default:
            self.copies.append(arguments[0].shape)
        return function(*arguments, **(named or {}))


THERE = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
BEST = next(name for name in ("cuda", "mps", "cpu") if THERE[name])
MISSING = [name for name in DEVICES if not THERE[name]]
WITH_DEVICE = {"demo", "pretrain", "translate", "synthesize", "embed", "coverage", "adapt", "choose", "report"}
REPOSITORY = Path(__file__).parents[1]


def test_the_best_one_is_chosen_and_said_once(capsys):
    assert chosen_device(None) == torch.device(BEST)
    message, error = capsys.readouterr()
    assert error == ""
    assert message.startswith(f"device: {BEST}, ")
    assert message.count("\n") == 1


@pytest.mark.parametrize("name", [name for name in DEVICES if THERE[name]])
def test_one_that_is_there_is_taken_in_silence(capsys, name):
    assert chosen_device(name) == torch.device(name)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", MISSING)
def test_one_that_is_not_there_is_refused(name):
    with pytest.raises(InputError, match=f"-device {name}: this machine has none, expected .*cpu"):
        chosen_device(name)


def test_every_command_with_networks_has_the_option():
    text = build_parser().format_help()
    assert "COMMAND" in text
    for name in COMMANDS:
        help_text = subprocess.run(
            [sys.executable, "-m", "intrastyler_nnunet.cli", name, "--help"], capture_output=True, text=True,
            cwd=REPOSITORY,
        ).stdout  # fmt: skip
        assert ("-device" in help_text) == (name in WITH_DEVICE), name


@pytest.mark.parametrize("name", MISSING[:1])
@pytest.mark.parametrize("command", sorted(WITH_DEVICE - {"synthesize"}))  # it looks at its generator first
def test_commands_refuse_it_with_code_2(command, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    required = {
        "demo": [], "pretrain": ["-d", "1", "-c", "x"], "translate": ["-g", "g", "-i", "i", "-o", "o", "--random", "1"],
        "embed": ["-d", "1", "-c", "x", "-i", "i", "-o", "o"], "coverage": ["-d", "1", "-c", "x", "-i", "i"],
        "adapt": ["-d", "1", "-c", "x", "-i", "i", "-m", "m"], "choose": ["-d", "1", "-c", "x", "-i", "i", "-m", "m"],
        "report": ["-d", "1", "-c", "x", "-g", "g"],
    }[command]  # fmt: skip
    with pytest.raises(SystemExit) as stop:
        main([command, *required, "-device", name])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith(f"intrastyler {command}: -device {name}: this machine has none")
    assert message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def parameters() -> list[torch.Tensor]:
    return [torch.arange(3), torch.rand(2, 3), torch.tensor([True, False, True]), torch.empty(0), torch.rand(4, 4).T]


def test_parameters_are_copied_together_and_arrive_as_they_were():
    """The CPU by its number takes the way of other devices."""
    given = parameters()
    for tensor, copy in zip(given, moved_together(given, "cpu:0"), strict=True):
        assert copy.dtype == tensor.dtype
        assert torch.equal(copy, tensor)
        assert copy is not tensor
    assert all(a is b for a, b in zip(moved_together(given, "cpu"), given, strict=True))
    with fake_cuda():
        with torch.device("cpu"):
            made = parameters()
        copies = []
        with CountingCopies(copies):
            moved = moved_together(made, "cuda")
    assert all(tensor.device.type == "cuda" for tensor in moved)
    assert len(copies) == 1
