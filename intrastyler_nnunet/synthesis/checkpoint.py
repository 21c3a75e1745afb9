"""The state of a training run, written atomically, so that a run cut at any moment can go on."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.networks.generator import Generator
from intrastyler_nnunet.synthesis.config import PretrainingConfig
from intrastyler_nnunet.synthesis.step import Networks

FILE_NAME = "checkpoint.pt"


@dataclass
class TrainingState:
    """Everything that changes while training. Random numbers are seeded per iteration and need no place here."""

    networks: Networks
    average: Generator  # exponential moving average of the generator
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    iteration: int = 0


def save_checkpoint(state: TrainingState, config: PretrainingConfig, folder: Path) -> None:
    """Write the state to `folder`."""
    content = {
        "iteration": state.iteration,
        "config": json.dumps(config.to_dict()),
        "average": state.average.state_dict(),
        "generator_optimizer": state.generator_optimizer.state_dict(),
        "discriminator_optimizer": state.discriminator_optimizer.state_dict(),
        **{name: module.state_dict() for name, module in state.networks.modules().items()},
    }
    with written_atomically(folder / FILE_NAME) as temporary:
        torch.save(content, temporary)


def load_checkpoint(state: TrainingState, config: PretrainingConfig, folder: Path) -> bool:
    """Restore the state in place; False if `folder` has no checkpoint.

    Raises:
        InputError: the checkpoint was made with other settings, so going on would mix two runs.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return False
    content = torch.load(path, map_location="cpu", weights_only=True)
    before, now = json.loads(content["config"]), json.loads(json.dumps(config.to_dict()))
    changed = [f"{name} {before.get(name)} -> {now[name]}" for name in now if before.get(name) != now[name]]
    if changed:
        raise InputError(f"{path}: made with other settings ({'; '.join(changed)}), expected the same or a new folder")
    for name, module in state.networks.modules().items():
        module.load_state_dict(content[name])
    state.average.load_state_dict(content["average"])
    state.generator_optimizer.load_state_dict(content["generator_optimizer"])
    state.discriminator_optimizer.load_state_dict(content["discriminator_optimizer"])
    state.iteration = content["iteration"]
    return True
