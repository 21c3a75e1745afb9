"""What a training waits for before its first step: windows, bank and clusters of many exemplars.

    python -m benchmarks.speed.training_start [-n 10000]

Preprocessed cases of 8 x 16 x 16 voxels, so that what is measured is what each case costs beside its voxels; a tiny
generator. Seconds of the wall clock: the first start (which `add-target` and `pretrain` spare a training), a start that
finds everything, one on a copy with other times of its files, and what clustering would cost at every start.
"""

import argparse
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from intrastyler_nnunet.cli.options import whole_number
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.nnunet.style_validation import choose_validation_styles
from intrastyler_nnunet.styles.bank import StyleBank, style_bank
from intrastyler_nnunet.styles.clusters import cluster_styles
from intrastyler_nnunet.styles.sampling import exemplar_probabilities
from intrastyler_nnunet.translation.windows import windows_file

SHAPE, DIFFERENT = (8, 16, 16), 50  # voxels of a case, and cases of which all others are copies


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="exemplars", type=whole_number(100), default=10_000, help="exemplars")
    output = Path(__file__).parents[1] / "results" / "training_start.json"
    parser.add_argument("-o", dest="output", type=Path, default=output, help="result file")
    arguments = parser.parse_args()
    with TemporaryDirectory() as name:
        result = measured(Path(name), arguments.exemplars)
    write_json({"exemplars": arguments.exemplars, "processor": platform.processor(), "seconds": result},
               arguments.output)  # fmt: skip
    for what, seconds in result.items():
        print(f"{what}: {seconds:.1f} s")


def measured(root: Path, count: int) -> dict[str, float]:
    """Seconds by what is measured."""
    folder, path = root / "target", root / "generator.safetensors"
    write_cases(folder, count)
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(width=4, residual_blocks=1, style_width=4), GeneratorMetadata())
    generator.save(path)
    result = {"first start": seconds(lambda: start(generator, path, folder, root / "bank.safetensors"))}
    result["start that finds everything"] = seconds(lambda: start(generator, path, folder, root / "bank.safetensors"))
    copied = root / "copy" / "target"
    shutil.copytree(folder, copied)
    shutil.copy(windows_file(folder), windows_file(copied))
    for file in copied.iterdir():
        os.utime(file, ns=(1, 1))
    result["start on a copy"] = seconds(lambda: start(generator, path, copied, root / "bank.safetensors"))
    vectors = StyleBank.load(root / "bank.safetensors").vectors
    result["clustering, at every start without the bank's"] = seconds(lambda: cluster_styles(vectors))
    return {what: round(value, 2) for what, value in result.items()}


def start(generator: Generator, path: Path, folder: Path, bank_path: Path) -> None:
    """What the trainer does with exemplars before training."""
    bank = style_bank(generator, path, folder, SHAPE, bank_path)
    probabilities = exemplar_probabilities([bank], "balanced")
    choose_validation_styles([bank], probabilities)


def write_cases(folder: Path, count: int) -> None:
    """Preprocessed cases; copies of a few differ in their names alone."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(min(count, DIFFERENT)):
        data = rng.gamma(1 + number % 5, size=(1, *SHAPE)).astype(np.float32)
        nnUNetDatasetBlosc2.save_case(
            data, np.zeros_like(data, np.int16), {}, str(folder / f"case_{number:05d}"), chunks=data.shape,
            blocks=data.shape, chunks_seg=data.shape, blocks_seg=data.shape,
        )  # fmt: skip
    for number in range(DIFFERENT, count):
        for ending in (".b2nd", "_seg.b2nd", ".pkl"):
            shutil.copyfile(folder / f"case_{number % DIFFERENT:05d}{ending}", folder / f"case_{number:05d}{ending}")


def seconds(work: Callable[[], None]) -> float:
    """Of the wall clock."""
    begin = perf_counter()
    work()
    return perf_counter() - begin


if __name__ == "__main__":
    main()
