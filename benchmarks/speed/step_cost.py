"""What translation adds to a training step: time, memory, and how well it uses the machine.

    python -m benchmarks.speed.step_cost -o FILE.json [-device cuda --scale full]      (some minutes on one core)

nnU-Net's own trainer and this plug-in's, with the reference and the light generator, take turns on one batch of
nnU-Net's planned 3d_fullres patches (SimCrossMoDA; of scale `full` they are as large as the challenge's). For each
generator:

    step_ratio       training step of the plug-in over the stock one
    forward_share    translation alone over the stock step
    flops_fraction   floating-point operations per second in translation over those of the machine's matrix product
                     (on a CPU oneDNN's, as the convolutions are, on a GPU in half precision, as translation is; the
                     best of several sizes), measured in turn
    one_at_a_time    translation with translation_batch_size 1 over translation of the whole batch
    memory_ratio     peak memory of two steps, on a CPU above what the process held before, plug-in over stock

Networks are not compiled. Times (`device_clock`) are the shortest of several repeats.
"""

import argparse
import json
import os
import platform
import resource
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.device_clock import seconds
from intrastyler_nnunet.cli.options import add_device
from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.config import preset
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.nnunet.descriptions import DatasetDescription, PlansDescription
from intrastyler_nnunet.simulation.plan import SCALES, plan_dataset
from intrastyler_nnunet.simulation.raw_dataset import dataset_json, write_case
from intrastyler_nnunet.styles.sampling import StyleDraw
from intrastyler_nnunet.typed_json import read_json
from intrastyler_nnunet.workers import workers
from intrastyler_nnunet.workflow import run_command

DATASET, NAME, CONFIGURATION = "990", "Dataset990_SimCrossMoDA", "3d_fullres"
STOCK, PRESETS = "stock", ("reference", "light")
CASES = {"source": 5, "target": 2}
MATRIX_SIZES = {"cpu": (256, 384, 512, 1024, 2048), "cuda": (4096, 8192)}


def prepare(folder: Path, scale: str, batch_size: int) -> None:
    """Simulate and preprocess a few cases; batches of `batch_size`; generators with random weights."""
    raw = folder / "nnUNet_raw" / NAME
    for split, count in CASES.items():
        cases = [case for case in plan_dataset(scale, 0, paired=False, test_head="colin27") if case.split == split]
        for case in cases[:count]:
            write_case(case, raw, scale, 0)
    write_json(dataset_json(CASES["source"]), raw / "dataset.json")
    run_command(f"nnUNetv2_plan_and_preprocess -d {DATASET} -c {CONFIGURATION} -np 1 -npfp 1")
    run_command(f"intrastyler add-target -d {DATASET} -np 1")
    plans_file = folder / "nnUNet_preprocessed" / NAME / "nnUNetPlans.json"
    plans = read_json(plans_file, PlansDescription, "nnU-Net's plans", "allow")
    plans["configurations"][CONFIGURATION]["batch_size"] = batch_size
    write_json(plans, plans_file)
    for name in PRESETS:
        torch.manual_seed(0)
        Generator(preset(name)[0]).save(folder / f"{name}.safetensors")


def make_trainer(folder: Path, name: str, device: torch.device):
    """nnU-Net's trainer, or this plug-in's with the generator of that name, ready to train."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler

    torch.backends.cudnn.benchmark = True  # as in nnUNetv2_train
    os.environ["INTRASTYLER_GENERATOR"] = str(folder / f"{name}.safetensors")
    base = folder / "nnUNet_preprocessed" / NAME
    plans = read_json(base / "nnUNetPlans.json", PlansDescription, "nnU-Net's plans", "allow")
    dataset = read_json(base / "dataset.json", DatasetDescription, "nnU-Net's dataset.json", "allow")
    kind = nnUNetTrainer if name == STOCK else nnUNetTrainerIntraStyler
    trainer = kind(plans | {"continue_training": False}, CONFIGURATION, 0, dataset, device)
    trainer.initialize()
    trainer.set_deep_supervision_enabled(True)
    trainer.dataloader_train, trainer.dataloader_val = trainer.get_dataloaders()
    return trainer


def translate(trainer, images: torch.Tensor, outside: torch.Tensor, batch: dict, draw: StyleDraw, size: int | None):
    """A batch, so many samples at once."""
    translator = trainer.translation.members[0].translator
    translator.samples_at_once = size
    trainer._translated_to(images, outside, batch, draw)
    translator.samples_at_once = None


def time_steps(folder: Path, repeats: int, device: torch.device) -> dict:
    """Seconds of every step, of translation alone and of matrix products, all in turn."""
    trainers = {name: make_trainer(folder, name, device) for name in (STOCK, *PRESETS)}
    batch = next(trainers[PRESETS[0]].dataloader_train)
    images = batch["data"].nan_to_num(0).to(device)
    outside = torch.zeros_like(images, dtype=torch.bool)
    work: dict[str, Callable] = {
        f"step_{name}": lambda trainer=trainer: trainer.train_step(batch | {"data": images.clone()})
        for name, trainer in trainers.items()
    }
    for name in PRESETS:
        trainer = trainers[name]
        draw = trainer._draw(batch["keys"])
        for size, label in ((None, f"translation_{name}"), (1, f"one_at_a_time_{name}")):
            work[label] = partial(translate, trainer, images, outside, batch, draw, size)
    for size in MATRIX_SIZES[device.type]:
        matrix = torch.randn(size, size)
        matrix = matrix.to_mkldnn() if device.type == "cpu" else matrix.to(device, torch.float16)
        work[f"matrix_{size}"] = partial(torch.nn.functional.linear, matrix, matrix)
    flops = {}
    for name in PRESETS:
        with FlopCounterMode(display=False) as counter:
            work[f"translation_{name}"]()
        flops[name] = counter.get_total_flops()
    measured = [{name: seconds(step, device) for name, step in work.items()} for _ in range(repeats + 1)][1:]
    times = {name: min(row[name] for row in measured) for name in work}
    rates = {size: 2 * size**3 / times[f"matrix_{size}"] for size in MATRIX_SIZES[device.type]}
    return {
        "patches": list(images.shape), "seconds": times, "flops": flops, "matrix_flops_per_second": max(rates.values()),
    }  # fmt: skip


def peak_memory(folder: Path, name: str, device: torch.device) -> int:
    """Bytes that a trainer and two steps need, on a CPU beyond what the process held; in a process of its own."""
    trainer = make_trainer(folder, name, device)
    batches = [next(trainer.dataloader_train) for _ in range(2)]
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    for batch in batches:
        trainer.train_step(batch)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", dest="output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--batch-size", type=int, default=2, help="samples per step")
    parser.add_argument("--scale", choices=SCALES, default="small", help="of the simulated images")
    add_device(parser, "to measure")
    parser.add_argument("--repeats", type=int, default=5, help="of every measurement; more on a busy machine")
    arguments = parser.parse_args()
    device = chosen_device(arguments.device)
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    machine = {"device": machine, "threads": torch.get_num_threads(), "torch": torch.__version__}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
            os.environ[variable] = str(folder / variable)
        prepare(folder, arguments.scale, arguments.batch_size)
        os.environ |= {"nnUNet_n_proc_DA": "0", "nnUNet_compile": "f"}
        times = time_steps(folder, arguments.repeats, device)
        memory = {}
        for trainer in (STOCK, *PRESETS):
            with workers(1) as pool:
                memory[trainer] = pool.submit(peak_memory, folder, trainer, device).result()
    stock = times["seconds"][f"step_{STOCK}"]
    result = {"scale": arguments.scale, **machine, "memory_bytes": memory, **times}
    for name in PRESETS:
        translation = times["seconds"][f"translation_{name}"]
        result[name] = {
            "step_ratio": times["seconds"][f"step_{name}"] / stock,
            "forward_share": translation / stock,
            "flops_fraction": times["flops"][name] / translation / times["matrix_flops_per_second"],
            "one_at_a_time": times["seconds"][f"one_at_a_time_{name}"] / translation,
            "memory_ratio": memory[name] / memory[STOCK],
        }
    write_json(result, arguments.output)
    print(json.dumps({name: result[name] for name in PRESETS}, indent=2))


if __name__ == "__main__":
    main()
