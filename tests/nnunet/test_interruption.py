"""A training that is killed goes on where it stood, with the styles it would have drawn."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from plugin_commands import SHORT, losses, with_plugin
from tiny_dataset import CONFIGURATION, tiny_generator

SCRIPT = Path(__file__).with_name("interrupted_run.py")


@pytest.mark.slow
def test_loss_curve_and_styles_go_on_after_kill_9(own_dataset, tmp_path):
    environment = with_plugin(own_dataset, tmp_path) | {"nnUNet_n_proc_DA": "0"}
    tiny_generator().save(tmp_path / "generator.safetensors")
    settings = SHORT | {
        "num_epochs": 3, "num_iterations_per_epoch": 3, "p_slerp": 0.5,
        "generator": str(tmp_path / "generator.safetensors"),
    }  # fmt: skip
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    fold = own_dataset.results / f"nnUNetTrainerIntraStyler__nnUNetPlans__{CONFIGURATION}" / "fold_0"

    def run(draws: str, how: str, last_epoch: int) -> int:
        command = [sys.executable, SCRIPT, tmp_path / draws, how, str(last_epoch)]
        return subprocess.run(command, env={"PATH": "", "OMP_NUM_THREADS": "1", **environment}).returncode

    assert run("interrupted", "begin", 2) == -signal.SIGKILL
    before = torch.load(fold / "checkpoint_latest.pth", map_location="cpu", weights_only=False)["logging"]
    assert len(before["train_losses"]) == 2
    assert run("interrupted", "continue", -1) == 0
    curve = losses(fold)
    assert curve["train_losses"][:2] == before["train_losses"]
    assert len(curve["train_losses"]) == 3
    assert curve["val_losses"][:2] == before["val_losses"]
    assert len(curve["val_losses"]) == 3

    assert run("whole", "begin", -1) == 0
    whole, interrupted = ((tmp_path / name).read_text().splitlines() for name in ("whole", "interrupted"))
    assert len(whole) == len(set(whole)) == 9
    # The killed epoch is done again from its beginning.
    assert interrupted == whole[:8] + whole[6:]
