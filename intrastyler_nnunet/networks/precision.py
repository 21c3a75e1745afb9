"""What must not run in half precision although networks around it do."""

from collections.abc import Callable
from functools import wraps

import torch


def in_float32(function: Callable) -> Callable:
    """Run `function` without autocast; half-precision tensors among its positional arguments become float32."""

    @wraps(function)
    def call(*arguments, **options):
        device = next(a.device.type for a in _flat(arguments) if isinstance(a, torch.Tensor))
        with torch.autocast(device, enabled=False):
            return function(*map(_float32, arguments), **options)

    return call


def _flat(arguments) -> list:
    return [item for a in arguments for item in (a if isinstance(a, list | tuple) else (a,))]


def _float32(argument):
    if isinstance(argument, list | tuple):
        return type(argument)(map(_float32, argument))
    half = isinstance(argument, torch.Tensor) and argument.dtype in (torch.float16, torch.bfloat16)
    return argument.float() if half else argument
