"""How fast the recipe `minutes` trains on simulated data, from the first step to the validated generator.

    python -m benchmarks.speed.gpu_training -o FILE.json [-device cuda --iterations 1000]

Data are those of `step_cost`. The training is given so many seconds, and cut there like any other that is killed; the
result has the record of the last step.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed.step_cost import CONFIGURATION, DATASET, prepare
from intrastyler_nnunet.cli.options import add_device
from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.pretraining.record import read_rows


def main() -> None:
    """Train, read what the run recorded, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_device(parser, "to train")
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120, help="after which the training is cut")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    device = chosen_device(arguments.device)
    with tempfile.TemporaryDirectory() as name:
        folder, run = Path(name), Path(name) / "run"
        for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
            os.environ[variable] = str(folder / variable)
        prepare(folder, "small", 2)
        command = [
            sys.executable, "-m", "intrastyler_nnunet.cli", "pretrain", "-d", DATASET, "-c", CONFIGURATION,
            "-o", str(run), "--recipe", "minutes", "--iterations", str(arguments.iterations), "-device", device.type,
        ]  # fmt: skip
        started = time.perf_counter()
        try:
            subprocess.run(command, check=True, timeout=arguments.seconds)
        except subprocess.TimeoutExpired:
            print(f"cut after {arguments.seconds:.0f} s")
        elapsed = time.perf_counter() - started
        rows = read_rows(run / "stats.jsonl")
    last = rows[-1] if rows else {"iteration": 0}
    write_json({"seconds": elapsed, "wanted": arguments.iterations, "last": last}, arguments.output)
    print(f"{last['iteration']} steps in {elapsed:.0f} s")


if __name__ == "__main__":
    main()
