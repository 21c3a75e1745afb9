"""Atomic writing: a file is complete under its final name, or it is not there."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def remove_half_written(folder: Path) -> None:
    """Remove what a killed run left half written in `folder` and its folders: nnU-Net would take it for images."""
    for path in (*folder.glob(f"{HALF_WRITTEN}*"), *folder.glob(f"*/{HALF_WRITTEN}*")):
        path.unlink(missing_ok=True)


def write_json(content: dict | list, path: Path | str) -> None:
    """Write `content` to `path` as indented JSON, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
