"""`python -m benchmarks.comparison`: run what is left to do, then write the page."""

import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.comparison.checks import Comparison, checked
from benchmarks.comparison.machine import machine
from benchmarks.comparison.options import parsed
from benchmarks.comparison.page import write_page
from benchmarks.comparison.plan import Method
from benchmarks.comparison.results import NoResult, Results
from benchmarks.comparison.run import REPOSITORY, Run
from benchmarks.comparison.stages import data_stages, method_stages
from intrastyler_nnunet.errors import one_line_errors
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.workflow import WALL_TIME_FILE, run_stages, seconds, timed


def main() -> None:
    """Bad input ends it with one line and exit code 2."""
    arguments = parsed(sys.argv[1:])
    with one_line_errors("benchmarks.comparison"):
        comparison = checked(arguments)
        if arguments.background:
            start_in_background(comparison.folder)
        else:
            with locked(comparison.folder):
                compare(comparison, arguments.publish)


def compare(comparison: Comparison, publish: bool) -> None:
    """Every method of every seed that has no result yet, with the page after each seed."""
    results = comparison.results
    if not results.rows("comparison"):
        results.put([comparison.description], table="comparison")
    for seed in range(comparison.seeds):
        run = Run(comparison.folder / f"seed_{seed}", seed, comparison.scale, comparison.device, comparison.own_data)
        for method in comparison.methods:
            if not results.hold(method, seed):
                run_method(run, method, results)
        if results.rows("segmentation"):
            write_pages(comparison.folder, results, publish)


def run_method(run: Run, method: Method, results: Results) -> None:
    """All stages of the method that are not finished yet; the first one's time includes the data's."""
    print(f"\n{method.name}, seed {run.seed}", flush=True)
    clock = run.folder / f"{method.key}_{WALL_TIME_FILE}"
    with timed(clock):
        try:
            run_stages(data_stages(run), run.folder)
            run_stages(method_stages(run, method, results), run.folder)
        except NoResult as reason:
            print(f"no result: {reason}", flush=True)
            results.put([{"reason": str(reason)}], table="skipped", seed=run.seed, method=method.key)
    row = {"seconds": seconds(clock), **machine(run.device)}
    results.put([row], table="run", seed=run.seed, methods=[method.key])


def write_pages(folder: Path, results: Results, publish: bool) -> None:
    """The page in the folder and, to be published, the one in docs/ with its result file."""
    pages = [folder / "benchmark.md"]
    if publish:
        pages.append(REPOSITORY / "docs" / "benchmark.md")
        shutil.copyfile(results.path, REPOSITORY / "benchmarks" / "results" / "uda.jsonl")
    command = f"python -m benchmarks.comparison {shlex.join(sys.argv[1:])}"
    for page in pages:
        write_page(results, command, page)
        print(page)


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
    # `kill` ends it like Ctrl-C, with the command that it runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main()
