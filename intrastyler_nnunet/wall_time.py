"""Wall time of work that may be interrupted and continued."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from intrastyler_nnunet.files import read_json, write_json

FILE_NAME = "wall_time.json"


@contextmanager
def timed(path: Path) -> Iterator[None]:
    """Add the block's wall time to the seconds in the file `path`; only a killed process's time is missing there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    try:
        yield
    finally:
        write_json({"seconds": round(seconds(path) + time.monotonic() - begun, 1)}, path)


def seconds(path: Path) -> float:
    """What `timed` has counted so far."""
    return read_json(path)["seconds"] if path.is_file() else 0.0
