"""A CUDA device that computes nothing: an operation on a tensor left on the CPU, or a read-back to Python, raises.

Autograd's engine asks the CUDA driver for a stream, so `backward` cannot run here; forward passes, losses and
optimizers can.
"""

from contextlib import contextmanager

import torch
from torch._subclasses.fake_tensor import FakeTensorMode


@contextmanager
def fake_cuda(autocast: torch.dtype | None = None):
    """Tensors and modules made inside live on a fake CUDA device unless they name another.

    `autocast`: run in this precision. `torch.autocast` itself refuses where there is no driver, hence the setters.
    """
    with FakeTensorMode(), torch.device("cuda"):
        torch.set_autocast_enabled("cuda", autocast is not None)
        torch.set_autocast_dtype("cuda", autocast or torch.float16)
        try:
            yield
        finally:
            torch.set_autocast_enabled("cuda", False)
            torch.clear_autocast_cache()
