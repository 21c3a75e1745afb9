"""How much memory tensors hold at most while something runs."""

from collections.abc import Callable

import torch

from intrastyler_nnunet.pretraining.tensor_memory import TensorCost


def peak_bytes(work: Callable[[], None], device: torch.device) -> int:
    """The most bytes of tensors that `work` adds to those that are there."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with TensorCost() as cost:
        work()
    return cost.peak
