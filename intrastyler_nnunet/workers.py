"""Worker processes."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context

from intrastyler_nnunet.errors import InputError


@contextmanager
def workers(processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of spawned processes. Raises InputError if their number is below 1 or one of them is killed."""
    if processes < 1:
        raise InputError(f"-np is {processes}, expected 1 or more")
    try:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            yield pool
    except BrokenProcessPool:
        raise InputError("a worker was killed, probably for lack of memory; lower -np") from None
