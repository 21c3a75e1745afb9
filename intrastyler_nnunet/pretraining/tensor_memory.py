"""What operations on tensors cost, with or without content: the bytes held at any moment, and the arithmetic."""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


class TensorCost(TorchDispatchMode):
    """Counts the bytes of every storage that operations return, until it is freed, and floating-point operations.

    CPUs keep no such statistics; PyTorch's own counter of operations keeps tensors alive that would be freed.

    Attributes:
        held: bytes now.
        peak: most bytes so far.
        flop: operations of convolutions and matrix products so far, a multiplication and an addition being two.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held = self.peak = self.flop = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        given = {storage._cdata for storage in _storages((args, kwargs))}
        result = function(*args, **kwargs)
        for storage in _storages(result):
            self._count(storage, given)
        if function._overloadpacket in flop_registry:
            self.flop += flop_registry[function._overloadpacket](*args, **kwargs, out_val=result)
        return result

    def _count(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        identity = storage._cdata
        if identity in given or identity in self._known:
            return
        self._known.add(identity)
        self.held += storage.nbytes()
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._free, identity, storage.nbytes())

    def _free(self, identity: int, size: int) -> None:
        self._known.discard(identity)
        self.held -= size


def _storages(values: object) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]
