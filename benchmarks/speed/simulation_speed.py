"""How long one simulated volume takes on one core.

OMP_NUM_THREADS=1 python -m benchmarks.speed.simulation_speed -o benchmarks/results/simulation_speed.json
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.simulation.plan import SCALES
from intrastyler_nnunet.simulation.scanner import render
from intrastyler_nnunet.simulation.sites import SITES, sample_scan
from intrastyler_nnunet.simulation.subject import sample_subject


def seconds_per_volume(scale: str, repeats: int) -> list[float]:
    """Processor time of `repeats` volumes, each of another subject at the next site."""
    sites = list(SITES)
    times = []
    for index in range(repeats + 1):
        scan = sample_scan(sites[index % len(sites)], np.random.default_rng(index))
        start = time.process_time()
        render(sample_subject(0, index), scan, SCALES[scale].grid)
        times.append(time.process_time() - start)
    return times[1:]  # the first one loads the head


def main() -> None:
    """Time every scale, print a table, write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="repeats", type=int, default=12, help="volumes per scale")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    results = {}
    for scale in SCALES:
        times = seconds_per_volume(scale, arguments.repeats)
        results[scale] = {"median_seconds": round(statistics.median(times), 3), "slowest_seconds": round(max(times), 3)}
        print(f"{scale:6} {results[scale]['median_seconds']:.3f} s per volume, slowest {max(times):.3f} s")
    write_json(results, arguments.output)


if __name__ == "__main__":
    main()
