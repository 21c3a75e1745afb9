"""Atomic writing: a file is complete under its final name, or it is not there."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.locks import LOCK_FILE, in_use, is_in_use, make_folder

HALF_WRITTEN = ".writing-"  # begins the name of a folder; a random part follows


@contextmanager
def written_atomically(path: Path | str) -> Iterator[Path]:
    """Give a path of the same name in a folder aside to write to; move it to `path` if the block succeeds.

    Raises OSError that names `path` where what is written in the block cannot be, whichever library writes it.
    """
    path = Path(path)
    make_folder(path.parent)
    with named_errors(path), folder_aside(path.parent) as aside:
        yield aside / path.name
        os.replace(aside / path.name, path)


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """A hidden folder within `folder` to write to, removed with what is left in it when the block ends.

    nnU-Net takes every file of the right ending for a case, hidden ones too, but does not look into folders.
    """
    with TemporaryDirectory(prefix=HALF_WRITTEN, dir=folder) as name, in_use(Path(name)):
        try:
            yield Path(name)
        except RuntimeError:  # SimpleITK, torch and blosc2 do not say why they cannot write; the file system does
            _write_on(Path(name))
            raise


def _write_on(folder: Path) -> None:
    for path in filter(Path.is_file, folder.rglob("*")):
        with path.open("ab") as file:
            file.write(bytes(1 << 20))
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Within the block, an OSError that names no file (a full disk's does not), or one aside, names `path`.

    One that names two files, as of a copy, then names the one to write.
    """
    try:
        yield
    except OSError as error:
        written = error.filename if error.filename2 is None else error.filename2
        aside = written is None or HALF_WRITTEN in str(written)
        error.filename, error.filename2 = str(path) if aside else written, None
        raise


def require_inputs_kept(outputs: Iterable[Path], inputs: Iterable[Path | None]) -> None:
    """Raise InputError if one of the outputs is one of the inputs, by whatever path or link; files or folders.

    Outputs need not exist yet; inputs that are None or do not exist are passed over.
    """
    known: dict[tuple[int, int], Path] = {}
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
    """Remove what killed runs left half written in `folder` and below it; what a living process writes stays."""
    for path in list(folder.rglob(f"{HALF_WRITTEN}*")):
        with suppress(FileNotFoundError):  # its process was done with it
            if path.is_dir() and not is_in_use(path):
                shutil.rmtree(path, ignore_errors=True)


def is_unused(folder: Path) -> bool:
    """Whether `folder` is not there or holds no more than what a killed command leaves before its first file."""
    return not folder.exists() or all(p.name == LOCK_FILE or p.name.startswith(HALF_WRITTEN) for p in folder.iterdir())


def write_json(content: dict | list, path: Path | str) -> None:
    """Write `content` to `path` as indented JSON, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
