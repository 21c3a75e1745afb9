"""Several processes that train one synthesizer: who is who, and what they share (torchrun; nccl or gloo)."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import distributed, nn


@dataclass(frozen=True)
class Ranks:
    """This process among `count`, each of which trains on its own patches."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0


ALONE = Ranks()


def join_ranks(device: torch.device) -> tuple[Ranks, torch.device]:
    """Join the processes that torchrun started, if any; returns this process's rank and device."""
    if "WORLD_SIZE" not in os.environ:
        return ALONE, device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Ranks(distributed.get_rank(), distributed.get_world_size()), device


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter], ranks: Ranks) -> None:
    """Replace each gradient by its mean over the ranks, in one message.

    The networks are small and each is called several times a step with different inputs, which rules out
    DistributedDataParallel's hooks: one explicit reduction is simpler and equals accumulation to rounding.
    """
    if ranks.count == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])  # whatever layout each lies in
    distributed.all_reduce(flat)
    for gradient, mean in zip(gradients, (flat / ranks.count).split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
