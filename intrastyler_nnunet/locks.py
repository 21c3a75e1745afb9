"""One process at a time writes to a folder."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

from intrastyler_nnunet.errors import InputError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".intrastyler.lock"  # holds the machine's name and the process's number
DAY = 24 * 60 * 60  # seconds
PAUSE, SAID_AFTER = 0.1, 20  # seconds between looks at a lock, and looks before it is said


class HeldLockError(InputError):
    """Another process writes to the folder, and will end."""


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it, if they are not there. Raises InputError if a file is in its place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{folder}: found a file there or above it, expected a folder to write to") from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make `folder` and hold its lock within the block; a new folder that nothing was written to goes again.

    The kernel gives up the lock when its process ends, however that happens. Where the file system has no locks (NFS
    without its lock service, Lustre mounted without flock) the record in the file decides: it counts while its process
    lives on this machine, and processes on other machines are not seen. On Windows nothing is locked.

    Raises:
        HeldLockError: another process holds it.
        InputError: a file is in the folder's place.
    """
    if fcntl is None:
        make_folder(folder)
        yield
        return
    path, new = folder / LOCK_FILE, not folder.exists()
    file = _take(path)
    try:
        with suppress(OSError):  # on a full disk the lock counts without it
            os.truncate(file, 0)
            os.pwrite(file, f"{socket.gethostname()} {os.getpid()}\n".encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)
        if new:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


@contextmanager
def locked_in_turn(folder: Path) -> Iterator[None]:
    """`locked`, but wait for the end of whichever process holds it; said once, after some seconds."""
    with ExitStack() as stack:
        for wait in count():
            try:
                stack.enter_context(locked(folder))
                break
            except HeldLockError as error:
                if wait == SAID_AFTER:
                    print(f"{error}; waiting", file=sys.stderr)
                time.sleep(PAUSE)
        yield
    with suppress(OSError):  # others wait in it, or it is not empty
        folder.rmdir()


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Mark `folder` as in use until the block ends, or this process does, however that happens."""
    if fcntl is None:
        yield
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # no locks here
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)


def is_in_use(folder: Path) -> bool:
    """Whether a process marked `folder` so; where there are no locks, whether it is less than a day old."""
    recent = time.time() - folder.stat().st_mtime < DAY
    if fcntl is None:
        return recent
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return recent
    finally:
        os.close(file)
    return False


def is_alive(process: int) -> bool:
    """Whether a process of this number runs on this machine; on Windows, where asking would end it, always True."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def _take(path: Path) -> int:
    """An open file that is locked and is the one at `path`; whoever held it before may have removed file or folder."""
    while True:
        make_folder(path.parent)
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            continue
        if not _is_free(file):
            holder = _holder(file)
            os.close(file)
            found = "process {1} on {0}".format(*holder) if holder else "another process"
            reason = f"{found} is writing here, expected no other; wait for its end or stop it"
            raise HeldLockError(f"{path.parent}: {reason}")
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks here
        holder = _holder(file)
        if holder is None or holder[0] != socket.gethostname():
            return True
        return holder[1] == os.getpid() or not is_alive(holder[1])  # a container's processes often have one number
    return True


def _holder(file: int) -> tuple[str, int] | None:
    """Machine and process that the lock file names, if it does."""
    parts = os.pread(file, 1000, 0).decode(errors="replace").split()
    return (parts[0], int(parts[1])) if len(parts) == 2 and parts[1].isdecimal() else None
