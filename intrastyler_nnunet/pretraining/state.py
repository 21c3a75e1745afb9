"""The state of a training run, written atomically, so that a run cut at any moment can go on."""

import json
import os
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from pickle import UnpicklingError

import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.step import Networks

FILE_NAME = "checkpoint.pt"
PREVIOUS_NAME = "checkpoint_previous.pt"  # the one before, should the latest be damaged
COUNTERS = ("iteration", "skipped", "skipped_in_a_row")
FREE_SETTINGS = ("precision", "accumulate")  # may change in the course of a run; `inputs` has the patches of a step


@dataclass
class TrainingState:
    """Everything that changes while training. Random numbers are seeded per iteration and need no place here."""

    networks: Networks
    average: Generator  # exponential moving average of the generator
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    scaler: torch.amp.GradScaler = field(default_factory=lambda: torch.amp.GradScaler(enabled=False))
    inputs: dict = field(default_factory=dict)  # what it is trained on, by name (JSON values); does not change
    iteration: int = 0
    skipped: int = 0  # updates whose gradient was not finite
    skipped_in_a_row: int = 0


def save_checkpoint(state: TrainingState, config: PretrainingConfig, folder: Path) -> None:
    """Write the state to `folder`, and keep the checkpoint before it.

    Raises:
        InputError: it cannot be written (a full disk); the checkpoints that are there stay as they are.
    """
    content = {
        **{name: getattr(state, name) for name in COUNTERS},
        "scaler": state.scaler.state_dict(),
        "config": json.dumps(config.to_dict()),
        "inputs": json.dumps(state.inputs),
        "architecture": json.dumps(state.average.config.to_dict()),
        "average": state.average.state_dict(),
        "generator_optimizer": state.generator_optimizer.state_dict(),
        "discriminator_optimizer": state.discriminator_optimizer.state_dict(),
        **{name: module.state_dict() for name, module in state.networks.modules().items()},
    }
    path = folder / FILE_NAME
    try:
        with written_atomically(path) as temporary:
            torch.save(content, temporary)
            if path.exists():
                os.replace(path, folder / PREVIOUS_NAME)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: cannot be written ({reason}), expected a writable disk with space; earlier checkpoints are intact"
        ) from None


def load_checkpoint(state: TrainingState, config: PretrainingConfig, folder: Path) -> bool:
    """Restore the state in place from the latest readable checkpoint; False if `folder` has none.

    Raises:
        InputError: the checkpoint was made with other settings or from other inputs, so going on would mix two runs;
            or none is readable.
    """
    paths = [path for path in (folder / FILE_NAME, folder / PREVIOUS_NAME) if path.is_file()]
    if not paths:
        return False
    path, content = _latest_readable(paths)
    _require_same_run(path, content, state, config)
    for name, module in state.networks.modules().items():
        module.load_state_dict(content[name])
    state.average.load_state_dict(content["average"])
    state.generator_optimizer.load_state_dict(content["generator_optimizer"])
    state.discriminator_optimizer.load_state_dict(content["discriminator_optimizer"])
    if state.scaler.is_enabled() and content["scaler"]:
        state.scaler.load_state_dict(content["scaler"])
    for name in COUNTERS:
        setattr(state, name, content[name])
    return True


def _require_same_run(path: Path, content: dict, state: TrainingState, config: PretrainingConfig) -> None:
    before, now = json.loads(content["config"]), json.loads(json.dumps(config.to_dict()))
    before = _defaults() | before  # of settings that are younger than the checkpoint
    if "architecture" in content:  # a preset may have become another one since
        before["architecture"] = json.loads(content["architecture"])
        now["architecture"] = json.loads(json.dumps(state.average.config.to_dict()))
    names = [name for name in now if name not in FREE_SETTINGS]
    changed = [f"{name} {before.get(name)} -> {now[name]}" for name in names if before.get(name) != now[name]]
    if changed:
        raise InputError(f"{path}: made with other settings ({'; '.join(changed)}), expected the same or a new folder")
    before, now = json.loads(content.get("inputs", "{}")), json.loads(json.dumps(state.inputs))
    changed = [name for name in before if before[name] != now.get(name)]
    if changed:
        raise InputError(f"{path}: made with other {', '.join(changed)}, expected the same or a new folder")


def _defaults() -> dict:
    known = {f.name: f.default for f in fields(PretrainingConfig) if f.default is not MISSING}
    known |= {f.name: f.default_factory() for f in fields(PretrainingConfig) if f.default_factory is not MISSING}
    return json.loads(json.dumps(known))


def _latest_readable(paths: list[Path]) -> tuple[Path, dict]:
    """Of `paths`, newest first; damaged ones before it are removed."""
    for number, path in enumerate(paths):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, UnpicklingError) as error:
            print(f"{path}: not readable ({(str(error) or type(error).__name__).splitlines()[0]})")
            continue
        for damaged in paths[:number]:  # the next checkpoint would move it to where the intact one is
            damaged.unlink(missing_ok=True)
        return path, content
    raise InputError(f"{paths[0]}: no readable checkpoint, expected one written by intrastyler; use a new folder")
