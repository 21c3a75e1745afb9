"""How much memory tensors hold at most while something runs."""

import weakref
from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(work: Callable[[], None], device: torch.device) -> int:
    """The most bytes of tensors that `work` adds to those that are there."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with _Storages() as storages:
        work()
    return storages.peak


class _Storages(TorchDispatchMode):
    """Counts the bytes of every storage that operations return, until it is freed; the CPU keeps no such statistics."""

    def __init__(self):
        super().__init__()
        self.held = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = {storage._cdata for storage in _storages((args, kwargs))}
        result = function(*args, **(kwargs or {}))
        for storage in _storages(result):
            self._count(storage, given)
        return result

    def _count(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        identity = storage._cdata
        if identity in given or identity in self.known:
            return
        self.known.add(identity)
        self.held += storage.nbytes()
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._free, identity, storage.nbytes())

    def _free(self, identity: int, size: int) -> None:
        self.known.discard(identity)
        self.held -= size


def _storages(values: object) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]
