"""Where networks run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intrastyler_nnunet.errors import InputError

if TYPE_CHECKING:  # the command line reads the names below and should not wait for torch
    import torch

DEVICES = ("cuda", "mps", "cpu")


def chosen_device(name: str | None) -> torch.device:
    """The device of that name, one of DEVICES; None: CUDA, else MPS, else the CPU, said in one line.

    On standard output: a refusal that follows is all that standard error gets.

    Raises:
        InputError: this machine has no such device.
    """
    import torch

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        name = next(device for device in DEVICES if found[device])
        print(f"device: {name}, chosen by itself; -device names another", flush=True)
    elif not found[name]:
        there = ", ".join(device for device in DEVICES if found[device])
        raise InputError(f"-device {name}: this machine has none, expected {there}; without -device one is chosen")
    return torch.device(name)
