"""Atomic writing: a file is complete under its final name, or it is not there."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from intrastyler_nnunet.errors import InputError

HALF_WRITTEN = ".writing-"


@contextmanager
def written_atomically(path: Path | str) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to; rename it to `path` if the block succeeds.

    The temporary name keeps the file ending, because SimpleITK and matplotlib choose the format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{HALF_WRITTEN}{os.getpid()}-{path.name}")
    try:
        with named_errors(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Within the block, an OSError that names no file (a full disk's does not) gets the name of `path`."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def require_inputs_kept(outputs: Iterable[Path], inputs: Iterable[Path | None]) -> None:
    """Raise InputError if one of the outputs is one of the inputs, by whatever path or link; files or folders.

    Outputs need not exist yet; inputs that are None or do not exist are passed over.
    """
    known = {}
    for path in inputs:
        if path is not None and path.exists():
            known.setdefault(_identity(path), path)
    for path in outputs:
        if path.exists() and _identity(path) in known:
            raise InputError(f"{path}: is also the input {known[_identity(path)]}, expected another place to write to")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def remove_half_written(folder: Path) -> None:
    """Remove what a killed run left half written in `folder` and its folders: nnU-Net would take it for images."""
    for path in (*folder.glob(f"{HALF_WRITTEN}*"), *folder.glob(f"*/{HALF_WRITTEN}*")):
        path.unlink(missing_ok=True)


def write_json(content: dict | list, path: Path | str) -> None:
    """Write `content` to `path` as indented JSON, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
