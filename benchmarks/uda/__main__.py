"""`python -m benchmarks.uda`: run what is left to do, then write the page."""

import argparse
import json
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.uda.clock import FILE_NAME, seconds, timed
from benchmarks.uda.machine import machine
from benchmarks.uda.own_data import OwnData, find_own_data
from benchmarks.uda.page import write_page
from benchmarks.uda.plan import METHODS, SCALES, Method, Scale, chosen_methods
from benchmarks.uda.results import NoResult, Results
from benchmarks.uda.run import REPOSITORY, Run
from benchmarks.uda.stages import data_stages, method_stages
from intrastyler_nnunet.demonstration.stages import run_stages
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import read_json, write_json


def main() -> None:
    """Bad input ends it with one line and exit code 2; `kill` ends it like Ctrl-C, with the command that it runs."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = parsed(sys.argv[1:])
    try:
        (start_in_background if arguments.background else benchmark)(arguments)
    except InputError as error:
        print(f"benchmarks.uda: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def parsed(command_line: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uda", description=__doc__)
    parser.add_argument(
        "-o", dest="output", type=Path, required=True,
        help="folder for data, models and results; call again with the same options to continue; what is in its "
        "results.jsonl is not run again, so one can continue on another machine with this file alone",
    )  # fmt: skip
    parser.add_argument(
        "--scale", choices=SCALES, default="small",
        help="tiny only shows that all works; small takes two cores two and a half hours a seed; full is for a GPU",
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, default=3, help="repetitions, each with data and networks of its own")
    parser.add_argument("--quick", action="store_true", help="the scale quick with one seed: 40 minutes on two cores")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help=f"some of {' '.join(METHODS)}; default: all")
    parser.add_argument("-device", default="cpu", choices=("cpu", "cuda", "mps"), help="where to train and predict")
    own = parser.add_argument_group("on your own data")
    own.add_argument("--dataset", help="id or name; preprocessed by nnU-Net (3d_fullres) and intrastyler add-target")
    own.add_argument("--target-test", type=Path, help="folder with imagesTs and labelsTs, labelled target images")
    own.add_argument(
        "--subdomain-pattern",
        help="regular expression whose group is the sub-domain in a target case's name, for multinets and unified",
    )  # fmt: skip
    parser.add_argument(
        "--publish", action="store_true", help="also write docs/benchmark.md and benchmarks/results/uda.jsonl"
    )
    parser.add_argument(
        "--background", action="store_true", help="return at once and go on without the terminal; see log.txt in -o"
    )
    arguments = parser.parse_args(command_line)
    if (arguments.dataset is None) != (arguments.target_test is None):
        parser.error("--dataset and --target-test belong together")
    if arguments.quick:
        arguments.scale, arguments.seeds = "quick", 1
    return arguments


def benchmark(arguments: argparse.Namespace) -> None:
    """Every method of every seed, with the page after each seed."""
    folder, scale = arguments.output.absolute(), SCALES[arguments.scale]
    own_data = None
    if arguments.dataset is not None:
        own_data = find_own_data(arguments.dataset, arguments.target_test, arguments.subdomain_pattern)
    methods = chosen_methods(arguments.methods, own_data is not None)
    check_resumable(scale, own_data, folder / "benchmark.json")
    results = Results(folder / "results.jsonl")
    for seed in range(arguments.seeds):
        left = [method for method in methods if not results.hold(method, seed)]
        if left:
            run = Run(folder / f"seed_{seed}", seed, scale, arguments.device, own_data)
            with timed(run.folder / FILE_NAME):
                run_seed(run, left, results)
            row = {"seconds": seconds(run.folder / FILE_NAME), **machine(arguments.device)}
            results.put([row], table="run", seed=seed, methods=[method.key for method in left])
            (run.folder / FILE_NAME).unlink()  # other methods, perhaps on another machine, have a row of their own
        write_pages(arguments, results)


def write_pages(arguments: argparse.Namespace, results: Results) -> None:
    """The page in the folder and, to be published, the one in docs/ with its result file."""
    pages = [arguments.output.absolute() / "benchmark.md"]
    if arguments.publish:
        pages.append(REPOSITORY / "docs" / "benchmark.md")
        shutil.copyfile(results.path, REPOSITORY / "benchmarks" / "results" / "uda.jsonl")
    command = f"python -m benchmarks.uda {shlex.join(sys.argv[1:])}"
    for page in pages:
        write_page(results, command, page)
        print(page)


def start_in_background(arguments: argparse.Namespace) -> None:
    """Start this very command in a session of its own."""
    log = arguments.output.absolute() / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    options = [option for option in sys.argv[1:] if option != "--background"]
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.uda", *options], stdout=output, stderr=output,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    print(f"writing to {log}; to stop it: kill {process.pid}")


def run_seed(run: Run, methods: list[Method], results: Results) -> None:
    """All stages of these methods that are not finished yet."""
    run_stages(data_stages(run), run.folder)
    for method in methods:
        print(f"\n{method.name}, seed {run.seed}", flush=True)
        try:
            run_stages(method_stages(run, method, results), run.folder)
        except NoResult as reason:
            print(f"no result: {reason}", flush=True)
            results.put([{"reason": str(reason)}], table="skipped", seed=run.seed, method=method.key)


def check_resumable(scale: Scale, own_data: OwnData | None, path: Path) -> None:
    """Raise InputError if the folder of `path` holds a benchmark of another size or of other data."""
    description = {
        "scale": asdict(scale), "dataset": own_data and own_data.dataset, "tests": own_data and str(own_data.tests),
        "subdomain_pattern": own_data and own_data.subdomain_pattern,
    }  # fmt: skip
    asked = json.loads(json.dumps(description))  # tuples become lists, as in the file
    for name, found in (read_json(path) if path.is_file() else {}).items():
        if found != asked.get(name):
            raise InputError(f"{path}: benchmark was begun with {name} {found}, expected {asked.get(name)}")
    write_json(description, path)


if __name__ == "__main__":
    main()
