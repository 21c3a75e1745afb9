"""Work in stages that can be stopped at any time and continued, and the wall time that it took."""

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.typed_json import read_json
from intrastyler_nnunet.workers import run_program

WALL_TIME_FILE = "wall_time.json"


@dataclass(frozen=True)
class WallTime:
    """What a piece of work took so far."""

    seconds: Annotated[float, Ge(0)]


@contextmanager
def timed(path: Path) -> Iterator[None]:
    """Add the block's wall time to the seconds in the file `path`; only a killed process's time is missing there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    try:
        yield
    finally:
        write_json(asdict(WallTime(round(seconds(path) + time.monotonic() - begun, 1))), path)


def seconds(path: Path) -> float:
    """What `timed` has counted so far."""
    return read_json(path, WallTime, "a count of seconds").seconds if path.is_file() else 0.0


@dataclass(frozen=True)
class Stage:
    """A named piece of work; it is skipped once its marker says that it was finished."""

    name: str
    run: Callable[[], None]
    minutes: float = 0.0  # that it is expected to take; if stages say so, the terminal shows the time left


def run_stages(stages: list[Stage], folder: Path) -> None:
    """Run the stages that are not finished yet; `folder`/wall_time keeps how long each took."""
    for number, stage in enumerate(stages, start=1):
        marker = folder / "finished" / stage.name
        title = f"[{number}/{len(stages)}] {stage.name}"
        if marker.exists():
            print(f"{title}: done before", flush=True)
            continue
        print(f"\n{title}{_time_left(stages, folder)}", flush=True)
        with timed(folder / "wall_time" / f"{stage.name}.json"):
            stage.run()
        marker.parent.mkdir(exist_ok=True)
        marker.touch()


def _time_left(stages: list[Stage], folder: Path) -> str:
    """A bar of the expected minutes, and how long the rest takes at the pace of what is finished."""
    total = sum(stage.minutes for stage in stages)
    if not total:
        return ""
    finished = [stage for stage in stages if (folder / "finished" / stage.name).exists()]
    done = sum(stage.minutes for stage in finished) or 1e-6
    taken = sum(seconds(folder / "wall_time" / f"{stage.name}.json") for stage in finished) or 60 * done
    return tqdm.format_meter(done, total, taken, ncols=60, bar_format="  {percentage:3.0f}% |{bar}| {remaining} left")


def minutes_of_stages(folder: Path) -> dict[str, float]:
    """How long each finished stage took, interrupted parts included, in the order they finished."""
    markers = sorted((folder / "finished").iterdir(), key=lambda marker: marker.stat().st_mtime_ns)
    return {marker.name: round(seconds(folder / "wall_time" / f"{marker.name}.json") / 60, 2) for marker in markers}


def run_command(line: str) -> None:
    """Run an installed command; its output goes to this terminal.

    Raises:
        InputError: the command failed; its own message stands above.
    """
    print(f"$ {line}", flush=True)
    name, *arguments = shlex.split(line)
    code = run_program([str(Path(sys.executable).with_name(name)), *arguments])
    if code:
        raise InputError(f"`{line}` ended with exit code {code}, see above")
