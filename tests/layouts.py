"""Which operations change how feature maps lie in memory."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LayoutChanges(TorchDispatchMode):
    """Names the operations that get and return features (B, C, X, Y, Z) in different layouts, or get both.

    A single channel lies both ways at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function is torch.ops.aten.convolution.default and 1 in (args[0].stride(1), args[1].stride(1)):
            result = result.contiguous(memory_format=torch.channels_last_3d)  # as cuDNN, which may not be there
        given, returned = (_last(values) for values in ((args, kwargs), result))
        if len(given | returned) > 1:
            shapes = [tuple(x.shape) for x in tree_leaves((args, result)) if isinstance(x, torch.Tensor)]
            self.found.append(f"{function} {shapes}")
        return result


def _last(values: Any) -> set[bool]:
    """Whether the feature maps among these are channels-last, one answer if all are alike."""
    maps = [x for x in tree_leaves(values) if isinstance(x, torch.Tensor) and x.ndim == 5 and _is_map(x)]
    return {x.is_contiguous(memory_format=torch.channels_last_3d) or x.stride(1) == 1 for x in maps}


def _is_map(x: torch.Tensor) -> bool:
    return x.shape[1] > 1 and min(x.shape[2:]) > 1
