"""Seconds and peak memory of pretraining steps on a GPU, in every way to run them.

    python -m benchmarks.speed.gpu_steps -o FILE.json [-device cuda]

Patches are CrossMoDA's region (32 x 144 x 256), terms those of the recipe `paper` without its warm-up. Each way is one
of preset (reference, compact), precision (float32, bfloat16), with or without checkpointing and compilation. Those
without compilation come first; what the seconds given do not suffice for is left out of the result, not guessed. A way
that runs out of memory is said to.
"""

import argparse
import itertools
import statistics
import time
from pathlib import Path

import torch

from benchmarks.speed.device_clock import seconds
from benchmarks.speed.peak_memory import peak_bytes
from intrastyler_nnunet.cli.options import add_device
from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.pretraining.estimate import GIB, configuration_without_data, full_step
from intrastyler_nnunet.pretraining.ranks import ALONE
from intrastyler_nnunet.pretraining.state import initial_state
from intrastyler_nnunet.pretraining.updates import training_step

REGION = (32, 144, 256)
PRESETS, PRECISIONS, REPEATS = ("reference", "compact"), ("float32", "bfloat16"), 3


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_device(parser, "to measure")
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--patch-size", type=int, nargs=3, default=REGION)
    parser.add_argument("--seconds", type=float, default=240, help="after which no other way is begun")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    device, started, rows = chosen_device(arguments.device), time.perf_counter(), []
    torch.backends.cudnn.benchmark = device.type == "cuda"  # as in pretraining
    for compiled, preset, precision, checkpointing in itertools.product(
        (False, True), arguments.presets, PRECISIONS, (False, True)
    ):
        if time.perf_counter() - started > arguments.seconds:
            break
        way = {"preset": preset, "precision": precision, "checkpointing": checkpointing, "compiled": compiled}
        rows.append(way | measured(device, tuple(arguments.patch_size), **way))
        print(rows[-1], flush=True)
    write_json({"patch_size": arguments.patch_size, "steps": rows}, arguments.output)


def measured(device: torch.device, patch_size: tuple[int, ...], compiled: bool, **settings) -> dict:
    """Median seconds of a step, and GiB that its tensors hold at most beside the weights."""
    config, metadata = configuration_without_data("paper", {}, patch_size, iterations=10, style_warmup=0, **settings)
    try:
        state = initial_state(config, metadata, device)
        if compiled:
            state.networks.compile()
        seed, batch, plan = full_step(config, metadata)
        part = (seed, batch.to(device), plan)

        def step() -> None:
            training_step(state, [part], config, ALONE)

        step(), step()  # compilation, choice of kernels, Adam's memory
        times = [seconds(step, device) for _ in range(REPEATS)]
        return {"seconds": statistics.median(times), "peak_gib": peak_bytes(step, device) / GIB}
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return {"out_of_memory": True}


if __name__ == "__main__":
    main()
