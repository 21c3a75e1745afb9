"""`python -m benchmarks.comparison`: run what is left to do, with the page after each piece."""

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.comparison.checks import Comparison, checked
from benchmarks.comparison.jobs import phases, work_off
from benchmarks.comparison.options import parsed
from benchmarks.comparison.page import LADDER, PAGE, write_page
from benchmarks.comparison.run import THREADS
from intrastyler_nnunet.demo.stages import MEMORY
from intrastyler_nnunet.errors import one_line_errors, require_none
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.workers import workers


def main() -> None:
    """Bad input ends it with one line and exit code 2."""
    arguments = parsed(sys.argv[1:])
    with one_line_errors("benchmarks.comparison"):
        comparison = checked(arguments)
        if arguments.background:
            start_in_background(comparison.folder)
        else:
            with locked(comparison.folder):
                compare(comparison)
            if arguments.publish:
                shutil.copyfile(comparison.results.path, LADDER)
                write_page(LADDER, PAGE)


def compare(comparison: Comparison) -> None:
    """Everything that has no result yet. The plan, with its endpoints, is written before anything is trained.

    Raises:
        InputError: pieces failed; the others are done.
    """
    write_json(comparison.description, comparison.folder / "plan.json")
    comparison.results.start(comparison.description)
    os.environ.setdefault("OMP_NUM_THREADS", THREADS)
    os.environ.update(MEMORY)
    problems = []
    write = partial(write_page, comparison.results.path, comparison.folder / "benchmark.md")
    with workers(comparison.scale.processes) as pool:
        for jobs in phases(comparison):
            problems += work_off(jobs, pool, write)
    write()
    print(comparison.folder / "benchmark.md")
    require_none(problems, "pieces that failed; the others are done")


def start_in_background(folder: Path) -> None:
    """Start this very command in a session of its own."""
    log = folder / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    options = [option for option in sys.argv[1:] if option != "--background"]
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.comparison", *options], stdout=output, stderr=output,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    print(f"writing to {log}; to stop it: kill {process.pid}")


if __name__ == "__main__":
    # `kill` ends it like Ctrl-C, with the commands that it runs.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    main()
