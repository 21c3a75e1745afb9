"""A command and all that it starts, found by a mark in their environment, whatever group or session they are in."""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

MARK = "INTRASTYLER_TEST_MARK"


class MarkedCommand:
    """A running `intrastyler` command, or another Python program."""

    def __init__(
        self,
        *arguments: object,
        environment: dict[str, str] | None = None,
        program: tuple[str, ...] = ("-m", "intrastyler_nnunet.cli"),
    ):
        self.mark = uuid.uuid4().hex
        quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", MARK: self.mark}
        self.process = subprocess.Popen(
            [sys.executable, *program, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **quiet, **(environment or {})},
        )  # fmt: skip

    def finish(self) -> str:
        """Wait for its end; fails with its output unless that is good."""
        output = self.process.communicate()[0]
        assert self.process.returncode == 0, output[-3000:]
        return output

    def kill(self, delay: float) -> bool:
        """SIGKILL to the command alone after `delay` seconds; False if it had ended before."""
        try:
            self.process.wait(delay)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return True
        return False

    def living(self, seconds: float = 5.0) -> list[str]:
        """Command lines of its processes that live, those that end within `seconds` left out."""
        deadline = time.monotonic() + seconds
        while (found := list(self._living())) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def _living(self):
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                    yield (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:  # noqa: PERF203 (ended meanwhile, or not ours)
                continue


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
