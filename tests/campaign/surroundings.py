"""Real processes in unusual surroundings give what this process gives in usual ones."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .commands import RUN, SPACE
from .situation import checksums, end_of
from .workplace import ENVIRONMENT, copy

READING = (  # do not write to nnUNet_raw
    "add-target -d 998 -c tiny -np 1",
    f"{RUN} -o run2",
    f"embed {SPACE} -o styles",
    f"report {SPACE} -o page.html",
    "translate -device cpu -g generator.safetensors -i images/a_T2.nii.gz --style x -o out.nii.gz",
    "evaluate -p labels -g truth -np 1 -o scores.json",
)
WRITING = (
    "simulate -d 990 --scale tiny -np 1",
    "synthesize -d 998 -c tiny -device cpu -o 997 -g generator.safetensors --styles-per-case 1",
)
READ_ONLY = 'mount --bind "$nnUNet_raw" "$nnUNet_raw" && mount -o remount,bind,ro "$nnUNet_raw" && exec "$@"'
NAMESPACE = ("unshare", "-m", "sh", "-c", READ_ONLY, "sh")


@dataclass(frozen=True)
class Surroundings:
    """What is unusual, and whether a command that writes to nnUNet_raw can succeed."""

    folder: str = "work"
    variables: dict[str, str | None] = field(default_factory=dict)  # None: not set
    before: tuple[str, ...] = ()  # what starts the command
    writable: bool = True


SURROUNDINGS = {
    "LANG=C": Surroundings(
        variables={"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ),
    "no terminal and no HOME": Surroundings(variables={"HOME": None, "TERM": None}, before=("setsid", "-w")),
    "spaces and umlauts": Surroundings(folder="Größe und Übung/für b"),
    "nnUNet_raw is read-only": Surroundings(before=NAMESPACE, writable=False),
}  # fmt: skip


def try_surroundings(template: Path, scratch: Path) -> Iterator[tuple[str, str, list[str]]]:
    """For each of SURROUNDINGS and each command: the two, and what is not clean."""
    expected = {}
    for line in (*READING, *WRITING):
        copy(template, scratch / "usual")
        expected[line] = end_of(tuple(shlex.split(line)), scratch / "usual")
    for name, surroundings in SURROUNDINGS.items():
        if surroundings.before == NAMESPACE and subprocess.run(["unshare", "-m", "true"]).returncode:
            continue  # no permission to mount
        for line, sound in expected.items():
            root = scratch / surroundings.folder
            copy(template, root)
            finished = _run(line, root, surroundings)
            if not surroundings.writable and line in WRITING:
                lines = [text for text in finished.stderr.decode(errors="replace").splitlines() if "\r" not in text]
                refused = finished.returncode == 2 and len(lines) == 1 and "Read-only file system" in lines[0]
                yield name, line, [] if refused else [f"exit code {finished.returncode}", *lines[-3:]]
                continue
            problems = []
            if finished.returncode:
                problems = finished.stderr.decode(errors="replace").splitlines()[-3:]
            files = checksums(root)
            problems += [f"{path} is another" for path in sound.written if files.get(path) != sound.files.get(path)]
            yield name, line, problems


def _run(line: str, root: Path, surroundings: Surroundings) -> subprocess.CompletedProcess:
    variables = {**os.environ, **{name: str(root / name) for name in ENVIRONMENT}, **surroundings.variables}
    given = {name: value for name, value in variables.items() if value is not None}
    command = [*surroundings.before, sys.executable, "-m", "intrastyler_nnunet.cli", *shlex.split(line)]
    return subprocess.run(command, cwd=root, env=given, stdin=subprocess.DEVNULL, capture_output=True)
