"""What a step is said to cost, against a real one, and the command that says it."""

import json
from dataclasses import replace

import pytest
import torch

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.pretraining.estimate import (
    GIB,
    RESERVE,
    configuration_without_data,
    cost_of_step,
    fill_optimizers,
    full_step,
    largest_fitting,
    smaller_patches,
)
from intrastyler_nnunet.pretraining.ranks import ALONE
from intrastyler_nnunet.pretraining.state import initial_state
from intrastyler_nnunet.pretraining.tensor_memory import TensorCost
from intrastyler_nnunet.pretraining.updates import training_step

PATCH = (8, 32, 32)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_count_is_that_of_a_real_step(checkpointing):
    config, metadata = configuration_without_data("minutes", {}, PATCH, preset="mini", checkpointing=checkpointing)
    with TensorCost() as real:
        state = initial_state(config, metadata, torch.device("cpu"))
        fill_optimizers(state)
        before = real.flop
        training_step(state, [full_step(config, metadata)], config, ALONE)
    counted = cost_of_step(config, metadata)
    assert counted.gib == pytest.approx(real.peak / GIB, rel=0.15)
    assert counted.tflop == pytest.approx((real.flop - before) / 1e12, rel=0.01)


def test_checkpointing_takes_memory_and_gives_arithmetic():
    config, metadata = configuration_without_data("paper", {}, (16, 64, 64), preset="compact")
    plain, checkpointed = (cost_of_step(replace(config, checkpointing=wanted), metadata) for wanted in (False, True))
    assert checkpointed.gib < 0.7 * plain.gib
    assert 1.2 < checkpointed.tflop / plain.tflop < 1.4


def test_smaller_patches_lose_slices_first():
    patches = smaller_patches((10, 30, 40), (2, 1, 0), (4, 4, 4), (8, 8, 8))
    assert patches[:4] == [(10, 30, 40), (8, 30, 40), (8, 24, 32), (8, 20, 28)]
    assert patches[-1] == (8, 8, 12)


def test_the_largest_patch_fits_and_the_next_larger_does_not():
    config, metadata = configuration_without_data("paper", {}, (16, 32, 32), preset="compact")
    limit = 0.8 * cost_of_step(config, metadata).gib
    fitting, cost = largest_fitting(config, metadata, limit / (1 - RESERVE))
    larger, _ = configuration_without_data("paper", {}, (fitting.patch_size[0] + 2, 32, 32), preset="compact")
    assert cost.gib <= limit < cost_of_step(larger, metadata).gib
    with pytest.raises(InputError, match="no patch fits"):
        largest_fitting(config, metadata, 1e-3)


def test_the_command_needs_no_data(tmp_path, capsys, monkeypatch):
    path = tmp_path / "estimate.json"
    arguments = ["--estimate", "--preset", "compact", "--patch-size", *map(str, PATCH), "--tflops", "10"]
    monkeypatch.setattr("sys.argv", ["intrastyler", "pretrain", *arguments, "-o", str(path)])
    main()
    result = json.loads(path.read_text())
    assert result["patch_size"] == list(PATCH)
    assert result["gib"]["bfloat16"]["checkpointed"] < result["gib"]["float32"]["plain"]
    assert result["hours"] == pytest.approx(100_000 * result["tflop_checkpointed"] / 10 / 3600)
    assert "TFLOP" in capsys.readouterr().out
