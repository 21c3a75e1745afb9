"""Where networks run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from intrastyler_nnunet.errors import InputError

if TYPE_CHECKING:  # the command line reads the names below and should not wait for torch
    import torch

DEVICES = ("cuda", "mps", "cpu")
ALIGNMENT = 16  # bytes; what any type of number may begin at


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


def moved_together(tensors: Sequence[torch.Tensor], device: torch.device | str) -> list[torch.Tensor]:
    """Copies of tensors that are on the CPU, in one transfer: on CUDA from pinned memory, so that nobody waits for it.

    Many small copies cost more than the computation that they are for.
    """
    import torch

    device = torch.device(device)
    if device == torch.device("cpu"):
        return list(tensors)
    offsets = [0]
    for tensor in tensors:
        offsets.append(offsets[-1] + -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT)
    packed = torch.empty(offsets[-1], dtype=torch.uint8, device="cpu")
    for tensor, start in zip(tensors, offsets, strict=False):
        packed[start : start + tensor.nbytes].view(tensor.dtype).copy_(tensor.reshape(-1))
    if device.type == "cuda" and torch.cuda.is_available():
        packed = packed.pin_memory()
    moved = packed.to(device, non_blocking=True)
    return [
        moved[start : start + tensor.nbytes].view(tensor.dtype).reshape(tensor.shape)
        for tensor, start in zip(tensors, offsets, strict=False)
    ]
