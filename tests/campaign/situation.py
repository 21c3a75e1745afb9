"""One situation: a command on damaged input or with odd options, and whether it ended cleanly."""

import hashlib
import os
import re
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import blosc2

from intrastyler_nnunet import workers
from intrastyler_nnunet.cli import main
from intrastyler_nnunet.files import HALF_WRITTEN
from intrastyler_nnunet.images import IMAGE_ENDINGS, read_image
from intrastyler_nnunet.locks import LOCK_FILE

CACHES = re.compile(r"style_bank\.safetensors|.*_intensity_windows\.json")  # made anew whenever they are out of date
VARYING = {"stats.jsonl", "checkpoint.pt", "checkpoint_previous.pt"}  # hold times or names
EXPECTATION = re.compile(
    r"expected|choose|required|[Nn]o such|must name|run (nnUNet|intrastyler)|unrecognized|([Nn]ot|Is) a directory"
)


@dataclass(frozen=True)
class Situation:
    """A command, and what is done to its input before.

    Attributes:
        damaged: path of the damaged input; a refusal names it.
        names: what a refusal names, if not that path.
        refused: the right result of the undamaged input would be wrong.
        harmless: refusing would be wrong.
    """

    family: str  # the command and the kind of fault
    fault: str
    command: tuple[str, ...]
    damage: Callable[[Path], None] | None = None
    damaged: str = ""
    names: tuple[str, ...] = ()
    refused: bool = False
    harmless: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it left."""

    code: int
    error: str
    trace: str
    files: dict[str, str]  # checksums of all files there are then
    written: set[str]  # new, changed and lost ones


def run_situation(situation: Situation, root: Path, sound: Outcome | None) -> list[str]:
    """What is not clean about a situation; `sound` is how the command ends on sound input, where it is damaged here.

    Clean is a refusal in one line that names the file, what was found and what was expected and leaves all files whole,
    or the very result of sound input.
    """
    if situation.damage is not None:
        situation.damage(root / situation.damaged)
    outcome = end_of(situation.command, root)
    if outcome.trace:
        return [f"traceback: {outcome.trace.strip().splitlines()[-1]}", *outcome.trace.strip().splitlines()[-3:-1]]
    if outcome.code == 0:
        if situation.refused:
            return ["accepted"]
        written = outcome.written | sound.written if sound else outcome.written
        differ = {name for name in written if sound is None or sound.files.get(name) != outcome.files.get(name)}
        return [f"another result than from sound input: {', '.join(sorted(differ))}"] if differ else []
    lines = _lines(outcome.error)
    problems = [f"exit code {outcome.code}"] if outcome.code != 2 else []
    if situation.harmless:
        problems.append("refused")
    if len(lines) != 1:
        problems.append(f"{len(lines)} lines")
    line = lines[-1] if lines else ""
    names = situation.names or (Path(situation.damaged).name, Path(situation.damaged).name.split(".")[0])
    if not any(name in line for name in names):
        problems.append(f"does not name {names[0]}")
    if not EXPECTATION.search(line):
        problems.append("no expectation")
    problems += _lost(root, outcome)
    return [*problems, *lines] if problems else []


def end_of(command: tuple[str, ...], root: Path) -> Outcome:
    """Run a command in this process."""
    before, code, trace = checksums(root), 0, ""
    with _captured() as read_error, _threads_for_workers():
        try:
            main(list(command))
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            trace = traceback.format_exc()
        error = read_error()
    if "Traceback (most recent" in error:
        trace = trace or error
    after = checksums(root)
    written = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return Outcome(code, error, trace, after, {name for name in written if not CACHES.fullmatch(_name(name))})


def checksums(root: Path) -> dict[str, str]:
    """Of all files below `root`; of the names and contents in an archive, and the presence of a page."""
    result = {}
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names):
            if path.is_file():
                result[str(path.relative_to(root))] = _checksum(path)
    return result


def _checksum(path: Path) -> str:
    if path.suffix in (".html", ".log", ".pkl") or path.name in VARYING or path.parent.name == "geometry":
        return "there"
    if path.suffix == ".b2nd":  # its bytes depend on the number of threads that wrote them
        with suppress(RuntimeError, ValueError):
            return hashlib.sha256(blosc2.open(str(path))[:].tobytes()).hexdigest()
    if path.suffix in (".zip", ".npz") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return str([(entry.filename, entry.CRC) for entry in archive.infolist()])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lost(root: Path, outcome: Outcome) -> Iterator[str]:
    """What a refused command did to files: changed or half written ones."""
    for name in outcome.written:
        path = root / name
        if name not in outcome.files:
            yield f"{name} is gone"
        elif HALF_WRITTEN in name or path.name == LOCK_FILE:
            yield f"{name} was left"
        elif name.endswith(IMAGE_ENDINGS):
            read_image(path)


@contextmanager
def _threads_for_workers() -> Iterator[None]:
    """Within the block, workers are threads: a process takes seconds to start, and does the same."""
    processes = workers.ProcessPoolExecutor
    workers.ProcessPoolExecutor = lambda count, mp_context: ThreadPoolExecutor(count)
    try:
        yield
    finally:
        workers.ProcessPoolExecutor = processes


def _lines(error: str) -> list[str]:
    """Lines of standard error, progress bars apart."""
    return [line for line in error.split("\n") if line.strip() and "\r" not in line]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


@contextmanager
def _captured() -> Iterator[Callable[[], str]]:
    """Within the block, both outputs of this process and of its workers go to a file; gives what was in the error."""
    kept = [os.dup(stream) for stream in (1, 2)]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:

        def read() -> str:
            sys.stderr.flush()
            error.seek(0)
            return error.read().decode(errors="replace")

        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(output.fileno(), 1)
        os.dup2(error.fileno(), 2)
        streams = [open(stream, "w", closefd=False) for stream in (1, 2)]  # noqa: SIM115 (pytest has its own)
        try:
            with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
                yield read
        finally:
            for stream in streams:
                stream.close()
            for stream, original in zip((1, 2), kept, strict=True):
                os.dup2(original, stream)
                os.close(original)
