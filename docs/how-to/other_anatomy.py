"""Another anatomy, from images to scores: kidneys with cysts and stones, simulated as ellipsoids.

    python docs/how-to/other_anatomy.py FOLDER      (ten minutes on two cores)

Labelled images of one contrast and unlabelled ones of two others are written to FOLDER and go through every command
that one's own data would. docs/how-to/other_anatomy.md tells it step by step.
"""

import argparse
import os
import shlex
from pathlib import Path

import numpy as np
import SimpleITK
from scipy.ndimage import gaussian_filter

from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.shipped import trainers_folder
from intrastyler_nnunet.workflow import run_command

DATASET, NAME = "980", "Dataset980_Kidneys"
LABELS = {"background": 0, "cyst": 1, "stone": 2}
SHAPE, SPACING = (16, 48, 64), (2.0, 2.0, 3.0)  # (z, y, x) voxels; (x, y, z) mm
CASES = {"source": 12, "target": 12, "test": 4}
# Intensities of air, body, spine, kidney, cyst and stone.
SOURCE = (0, 300, 500, 420, 150, 900)
SCANNERS = ((0, 350, 100, 500, 950, 40), (0, 250, 60, 330, 600, 30))
CYST, STONE = 4, 5
TRAINING = {"num_epochs": 6, "num_iterations_per_epoch": 25, "num_val_iterations_per_epoch": 4, "save_every": 1}


def main() -> None:
    """Simulate, then run the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="new folder for data, models and predictions")
    folder = parser.parse_args().folder.absolute()
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ[name] = str(folder / name)
    os.environ |= {"nnUNet_extTrainer": str(trainers_folder()), "nnUNet_compile": "f", "nnUNet_n_proc_DA": "1"}
    os.environ["INTRASTYLER_SETTINGS"] = str(folder / "training.json")
    write_data(folder / "nnUNet_raw" / NAME, seed=0)
    write_json(TRAINING, folder / "training.json")
    for command in commands(folder):
        run_command(command)


def commands(folder: Path) -> list[str]:
    """From raw images to scores."""
    tests, predictions = (shlex.quote(str(path)) for path in (folder / "nnUNet_raw" / NAME, folder / "predictions"))
    data, trainer = f"-d {DATASET} -c 3d_fullres", "-tr nnUNetTrainerIntraStylerShort -device cpu"
    return [
        f"nnUNetv2_plan_and_preprocess {data} -np 2",
        f"intrastyler add-target {data} -np 2",
        f"intrastyler pretrain {data} --preset mini --style-warmup 100 --iterations 300 -device cpu",
        f"nnUNetv2_train {DATASET} 3d_fullres 0 {trainer}",
        f"nnUNetv2_predict {data} -f 0 {trainer} -i {tests}/imagesTs -o {predictions} --disable_tta",
        f"intrastyler evaluate -p {predictions} -g {tests}/labelsTs",
    ]


def write_data(folder: Path, seed: int) -> None:
    """nnU-Net's raw data set: labelled sources, targets of both scanners in turn, and labelled targets to test on."""
    folders = {"source": ("imagesTr", "labelsTr"), "target": ("imagesTarget", None), "test": ("imagesTs", "labelsTs")}
    for number, (split, count) in enumerate(CASES.items()):
        images, labels = folders[split]
        for case in range(count):
            rng = np.random.default_rng([seed, number, case])
            tissues = abdomen(rng)
            contrast = SOURCE if split == "source" else SCANNERS[case % len(SCANNERS)]
            write(scan(tissues, contrast, rng), folder / images / f"{split}_{case:02d}_0000.nii.gz")
            if labels:
                write(label_map(tissues), folder / labels / f"{split}_{case:02d}.nii.gz")
    description = {"channel_names": {"0": "MRI"}, "labels": LABELS, "numTraining": CASES["source"],
                   "file_ending": ".nii.gz"}  # fmt: skip
    write_json(description, folder / "dataset.json")


def abdomen(rng: np.random.Generator) -> np.ndarray:
    """Tissues (z, y, x), numbered as the intensities are: a cyst in one kidney, a stone in the other."""
    tissues = np.zeros(SHAPE, np.uint8)
    fill(tissues, 1, (8, 24, 32), (30, 21, 29))
    fill(tissues, 2, (8, 35, 32), (30, 5, 5))
    sides = rng.permutation([-1, 1])
    for side, tissue, size in zip(sides, (CYST, STONE), (rng.uniform(3, 4.5), rng.uniform(1.6, 2.4)), strict=True):
        centre = np.array([8, 27, 32 + 15 * side]) + rng.uniform(-1.5, 1.5, 3)
        fill(tissues, 3, centre, rng.uniform(0.9, 1.1) * np.array([6, 8, 6]))
        fill(tissues, tissue, centre + rng.uniform(-1, 1, 3) * (2, 3, 2), (size * 2 / 3, size, size))
    return tissues


def fill(tissues: np.ndarray, tissue: int, centre, radii) -> None:
    """An ellipsoid, in voxels (z, y, x)."""
    distance = sum(((axis - at) / r) ** 2 for axis, at, r in zip(np.indices(SHAPE), centre, radii, strict=True))
    tissues[distance < 1] = tissue


def scan(tissues: np.ndarray, contrast: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """An image of a contrast, a little blurred, with noise."""
    gain = rng.uniform(0.9, 1.1, len(contrast))
    sharp = (np.array(contrast) * gain)[tissues]
    return np.abs(gaussian_filter(sharp, (0.3, 0.5, 0.5)) + rng.normal(0, 15, SHAPE)).astype(np.float32)


def label_map(tissues: np.ndarray) -> np.ndarray:
    """The labels of `LABELS`."""
    return np.select([tissues == CYST, tissues == STONE], [LABELS["cyst"], LABELS["stone"]]).astype(np.uint8)


def write(array: np.ndarray, path: Path) -> None:
    """As NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    SimpleITK.WriteImage(image, str(path))


if __name__ == "__main__":
    main()
