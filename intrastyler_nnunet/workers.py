"""Processes that work for this one, and end with it, even if it is killed."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import TypeVar

from intrastyler_nnunet.errors import InputError

Item = TypeVar("Item")
PR_SET_PDEATHSIG = 1  # of linux/prctl.h


class Worker(SpawnProcess):
    """A spawned process that ends with its parent from its first moment, and which Ctrl-C does not reach.

    Spawned, not forked: neither SimpleITK's and blosc2's threads nor a CUDA context survive a fork.
    """

    def start(self) -> None:
        resource_tracker.ensure_running()  # beforehand: Python 3.11 unblocks the signal for it
        with _interrupts_blocked():  # a new process inherits that
            super().start()

    def __reduce__(self) -> tuple:
        # Unpickled before the state, whose imports may take seconds.
        return _newborn, (type(self), os.getpid()), self.__dict__


class WorkerContext(SpawnContext):
    """For whatever takes a context of `multiprocessing`: its processes are `Worker`s."""

    Process = Worker


def _newborn(kind: type[Worker], parent: int) -> Worker:
    end_with(parent)
    return kind.__new__(kind)


@contextmanager
def workers(processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of spawned processes. Raises InputError if their number is below 1 or one of them is killed.

    If the block fails, jobs that run are waited for and the others dropped; Ctrl-C waits for none.
    """
    if processes < 1:
        raise InputError(f"-np is {processes}, expected 1 or more")
    pool = ProcessPoolExecutor(processes, mp_context=WorkerContext())
    try:
        with one_line_for_killed():
            yield pool
            pool.shutdown()
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        time.sleep(0.2)  # until they are dropped: Python 3.11 fails over those of a killed worker
        for child in active_children():
            if isinstance(child, Worker):
                child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def one_line_for_killed() -> Iterator[None]:
    """Within the block, a worker that was killed raises InputError, and bad input in one is the line it was there."""
    try:
        yield
    except InputError as error:
        # torch's DataLoader raises it anew with the worker's traceback, which ends with the line.
        text = str(error).strip()
        if not text.startswith("Caught InputError in DataLoader worker"):
            raise
        raise InputError(text.splitlines()[-1].partition("InputError: ")[2]) from None
    except (BrokenProcessPool, RuntimeError) as error:
        # What torch's DataLoader raises has no class of its own.
        if isinstance(error, BrokenProcessPool) or str(error).startswith("DataLoader worker (pid"):
            raise InputError("a worker was killed, probably for lack of memory; lower -np") from None
        raise


def run_program(command: list[str]) -> int:
    """Run a program and return its exit code; whatever it started and left ends then, or when this process ends."""
    if os.name != "posix":
        return subprocess.run(command).returncode
    # The guard leads a process group and waits for the end of its input, which only this process holds open.
    guard = subprocess.Popen(["sh", "-c", "read _; kill -s KILL 0"], stdin=subprocess.PIPE, preexec_fn=os.setpgrp)
    try:
        join = _joining(guard.pid)
        return subprocess.run(command, stdin=subprocess.DEVNULL, preexec_fn=join).returncode
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the program's progress bar may be half-way
        raise
    finally:
        os.killpg(guard.pid, signal.SIGKILL)
        guard.communicate()


def _joining(group: int) -> Callable[[], None]:
    return lambda: os.setpgid(0, group)


def end_with(parent: int) -> None:
    """Let this process be killed as soon as `parent`, the process that started it, is gone."""
    if sys.platform == "linux":  # at once, whatever holds Python's lock
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    if os.name != "posix":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True)
class Part:
    """One of several processes, on this machine or others, that share the work of a command."""

    number: int = 0  # from 0
    count: int = 1

    def of(self, everything: list[Item]) -> list[Item]:
        """What of a list this part does."""
        return everything[self.number :: self.count]

    def lock(self, folder: Path) -> Path:
        """What is locked (`locks.locked`) to write to `folder`: it, or one beside it, because other parts write too."""
        return folder if self.count == 1 else folder.with_name(f".{folder.name}-part-{self.number}-of-{self.count}")


WHOLE = Part()
