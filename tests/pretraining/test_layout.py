"""How features lie in memory during a step on a GPU."""

import pytest
import torch
from fake_cuda import fake_cuda
from layouts import LayoutChanges

from intrastyler_nnunet.objective.step import discriminator_step, generator_step
from intrastyler_nnunet.pretraining.estimate import configuration_without_data, full_step
from intrastyler_nnunet.pretraining.state import initial_state

LOSSES = ("aten._softmax", "aten._log_softmax")  # of nnU-Net's loss, on the few channels of the classes


def changes_in(found: list[str]) -> list[str]:
    return [change for change in found if not change.startswith(LOSSES)]


@pytest.mark.parametrize("precision", [None, torch.bfloat16])
@pytest.mark.parametrize("recipe", ["paper", "default", "released", "minutes"])
def test_a_whole_step_converts_no_features_and_reads_nothing_back(recipe, precision):
    """Fake tensors raise where one is read back."""
    config, metadata = configuration_without_data(recipe, {}, (16, 32, 32), checkpointing=recipe != "paper")
    with fake_cuda(autocast=precision):
        state = initial_state(config, metadata, torch.device("cuda"))
        _, batch, plan = full_step(config, metadata)
        with LayoutChanges() as layouts:
            loss, _, translated = generator_step(state.networks, batch, plan, config)
            discriminator_step(state.networks.discriminator, batch, translated, plan)
    assert loss.device.type == "cuda"
    assert changes_in(layouts.found) == []
