"""A tiny labelled source dataset with unlabelled target images, through nnU-Net's real commands."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata

DATASET = "Dataset998_Tiny"
SHAPE = (16, 32, 40)  # z, y, x
SPACING = (1.0, 1.0, 1.5)  # x, y, z in mm
CONFIGURATION = "tiny"


@dataclass(frozen=True)
class TinyDataset:
    """The three folders of nnU-Net, with `DATASET` in them."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """nnU-Net's variables."""
        names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
        return {name: str(self.root / name) for name in names}

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set nnU-Net's variables in this process."""
        for name, folder in self.environment.items():
            monkeypatch.setenv(name, folder)

    @property
    def raw(self) -> Path:
        return self.root / "nnUNet_raw" / DATASET

    @property
    def preprocessed(self) -> Path:
        return self.root / "nnUNet_preprocessed" / DATASET

    @property
    def results(self) -> Path:
        return self.root / "nnUNet_results" / DATASET


def make_tiny_dataset(root: Path, source_cases: int = 5, target_cases: int = 3) -> TinyDataset:
    """Write images, plan and preprocess, and add a configuration small enough for a CPU."""
    dataset = TinyDataset(root)
    for folder in dataset.environment.values():
        Path(folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(source_cases):
        image, labels = head(rng, bright_label=1)
        write_image(dataset.raw / "imagesTr" / f"source_{index}_0000.nii.gz", image)
        write_image(dataset.raw / "labelsTr" / f"source_{index}.nii.gz", labels)
    for index in range(target_cases):
        image, labels = head(rng, bright_label=2)
        write_image(dataset.raw / "imagesTarget" / f"target_{index}_0000.nii.gz", image)
    description = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "tumour": 1, "cochlea": 2},
        "numTraining": source_cases,
        "file_ending": ".nii.gz",
    }
    (dataset.raw / "dataset.json").write_text(json.dumps(description))
    run_command("nnUNetv2_plan_and_preprocess", "-d", "998", "-c", "3d_fullres", "-npfp", "1", "-np", "1",
                environment=dataset.environment)  # fmt: skip
    add_tiny_configuration(dataset.preprocessed / "nnUNetPlans.json")
    return dataset


def head(rng: np.random.Generator, bright_label: int) -> tuple[np.ndarray, np.ndarray]:
    """A noisy ball that touches the borders, black outside, with two structures, one bright and one dark."""
    z, y, x = np.indices(SHAPE)
    distance = np.sqrt(((z - 7.5) / 8.2) ** 2 + ((y - 15.5) / 16.4) ** 2 + ((x - 19.5) / 20.4) ** 2)
    labels = np.zeros(SHAPE, np.uint8)
    for label, centre in ((1, (8, 14, 14)), (2, (8, 18, 26))):
        centre = np.array(centre) + rng.integers(-2, 3, 3)
        labels[(z - centre[0]) ** 2 / 4 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < 16] = label
    intensity = np.where(labels == bright_label, 900, np.where(labels > 0, 150, 400))
    image = np.where(distance < 1, intensity + 40 * rng.normal(size=SHAPE), 0)
    return image.astype(np.float32), labels


def write_image(path: Path, array: np.ndarray) -> None:
    """Write (z, y, x) voxels as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, str(path))


def tiny_generator(seed: int = 0, skip: bool = False, **metadata) -> Generator:
    """A generator with random weights, the same for a seed, and metadata that fit the tiny dataset.

    Where the metadata have codes, they are its styles.
    """
    code = next(iter(metadata.get("codes", {}).values()), None)
    styles = {"style_dim": 8, "style_width": 4} if code is None else {"style_dim": len(code), "style_width": 0}
    fitting = {
        "spacing": tuple(SPACING[::-1]),
        "transpose_forward": (0, 1, 2),
        "normalization": ("ZScoreNormalization",),
        "patch_size": (8, 16, 24),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Generator(
            GeneratorConfig(width=4, residual_blocks=1, skip=skip, **styles),
            GeneratorMetadata(**{**fitting, **metadata}),
        )


def add_tiny_configuration(plans_file: Path) -> None:
    """A configuration that inherits from 3d_fullres and trains in a moment."""
    plans = json.loads(plans_file.read_text())
    architecture = plans["configurations"]["3d_fullres"]["architecture"]
    given = architecture["arch_kwargs"]
    blocks = "n_blocks_per_stage" if "n_blocks_per_stage" in given else "n_conv_per_stage"  # residual or plain
    arguments = given | {
        "n_stages": 3,
        "features_per_stage": [4, 8, 16],
        "kernel_sizes": [[3, 3, 3]] * 3,
        "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
        blocks: [1, 1, 1],
        "n_conv_per_stage_decoder": [1, 1],
    }
    plans["configurations"][CONFIGURATION] = {
        "inherits_from": "3d_fullres",
        "patch_size": [12, 24, 32],
        "batch_size": 2,
        "architecture": architecture | {"arch_kwargs": arguments},
    }
    plans_file.write_text(json.dumps(plans))


def run_command(
    *command: str, environment: dict[str, str], expected_code: int = 0, folder: Path | None = None
) -> subprocess.CompletedProcess:
    """Run a command of the tests' Python environment; fail with its output unless it ends as expected."""
    executable = Path(sys.executable).with_name(command[0])
    # nnU-Net starts a thread per core whatever OpenMP is told; on a busy machine they must not spin while they wait.
    quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "nnUNet_n_proc_DA": "1"}
    result = subprocess.run(
        [str(executable), *map(str, command[1:])],
        env={**os.environ, **quiet, **environment},
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert result.returncode == expected_code, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result
