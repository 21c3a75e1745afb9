"""Tensors and their description in one safetensors file, and nothing read from it that was not written to it."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
CHECKSUM = "sha256"  # entry of the header; files of former versions have none


def save_tensors(path: Path | str, tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    """Write tensors and header entries, with a checksum of both.

    Raises:
        InputError: values that are no finite floating-point numbers; nothing is written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    _require_finite(tensors, f"{path}: not written")
    header = header | {CHECKSUM: _checksum(tensors, header)}
    with written_atomically(path) as temporary:
        temporary.write_bytes(_sorted(save(tensors, metadata=header)))  # save_file's is readable to its owner only


def load_tensors(path: Path | str, names: set[str], what: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and header entries that `save_tensors` wrote.

    Args:
        path: the file.
        names: of the header's entries.
        what: the file is expected to be, for messages.

    Raises:
        InputError: no such file, another one, or a damaged one; values that are no floating-point numbers.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file, expected {what}")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a safetensors file ({reason}), expected {what}") from None
    checksum = header.pop(CHECKSUM, None)
    if set(header) != names:
        found = ", ".join(map(repr, sorted(header))) or "nothing"
        raise InputError(f"{path}: found {found} in its header, expected {what}")
    if checksum is not None and checksum != _checksum(tensors, header):
        raise InputError(f"{path}: damaged, its content has another checksum than when it was written")
    _require_finite(tensors, str(path))
    return tensors, header


def _sorted(content: bytes) -> bytes:
    """A safetensors file with its header's entries in order; safetensors writes them in another one every time."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at multiples of 8
    return len(text).to_bytes(8, "little") + text + content[end:]


def _require_finite(tensors: dict[str, torch.Tensor], where: str) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS or not tensor.isfinite().all():
            raise InputError(f"{where}: tensor {name!r} has NaN, infinite or integer values, expected finite floats")


def _checksum(tensors: dict[str, torch.Tensor], header: dict[str, str]) -> str:
    """SHA-256 of all names, types, shapes and values, and of the header's entries."""
    described = {name: [str(tensor.dtype), list(tensor.shape)] for name, tensor in tensors.items()}
    digest = hashlib.sha256(json.dumps([header, described], sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(tensors[name].flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
