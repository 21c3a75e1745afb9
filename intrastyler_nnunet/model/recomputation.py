"""Activation checkpointing: parts of a network keep their input alone, and compute the rest anew for the gradient.

It costs about a forward pass more in time and changes no value.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint


def recomputed(wanted: bool, part: Callable[..., Any], *inputs: Any) -> Any:
    """`part(*inputs)`, of which only `inputs` are kept for the gradient, if that is wanted; `part` draws nothing."""
    if wanted and torch.is_grad_enabled():
        return checkpoint(part, *inputs, use_reentrant=False, preserve_rng_state=False)
    return part(*inputs)
