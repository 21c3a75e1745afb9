"""All situations: each command with each damage of each file that it reads, odd options, and outputs onto inputs."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from . import damage
from .commands import RAW, Command, commands
from .situation import Situation

KINDS = {  # files of a command: the damages of each, and those that leave it as good as before
    "images": (damage.FILE | damage.IMAGE | damage.NOTHING_TO_SEE, damage.HARMLESS_TO_IMAGES),
    "label_maps": (damage.FILE | damage.IMAGE | damage.LABEL_MAP, damage.HARMLESS_TO_IMAGES),
    "json": (damage.FILE | damage.JSON, damage.HARMLESS_TO_JSON),
    "tensors": (damage.FILE, {}),
}


def all_situations(download: dict[str, str]) -> list[Situation]:
    """Every situation; `download` see `commands`."""
    found = [
        situation for name, command in commands(download).items() for situation in _of_command(name, command)
    ]
    return found


def _of_command(name: str, command: Command) -> Iterator[Situation]:
    arguments = tuple(shlex.split(command.arguments))
    for kind, (harmful, harmless) in KINDS.items():
        for path in getattr(command, kind):
            for fault, function in (harmful | harmless).items():
                yield Situation(
                    f"{name}: {kind.replace('_', ' ')}", f"{path}: {fault}", arguments, function, path,
                    harmless=fault in harmless,
                )  # fmt: skip
