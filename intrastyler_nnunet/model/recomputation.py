"""Activation checkpointing: parts of a network keep their input alone, and compute the rest anew for the gradient.

It costs about a forward pass more in time and changes no value.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class RecomputedInParts(nn.Module):
    """A network that passes its parts to `recomputed`."""

    checkpointing = False

    def recomputed(self, part: Callable[..., Any], *inputs: Any) -> Any:
        """`part(*inputs)`; only `inputs` are kept for the gradient if `checkpointing`. It may draw nothing."""
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(part, *inputs, use_reentrant=False, preserve_rng_state=False)
        return part(*inputs)
