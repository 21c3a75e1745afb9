"""Variants of the tiny dataset, each planned and preprocessed by nnU-Net's own commands."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from tiny_dataset import (
    CONFIGURATION,
    SPACING,
    TinyDataset,
    add_tiny_configuration,
    head,
    run_command,
    write_image,
)

LOWRES_SPACING = tuple(1.25 * size for size in SPACING[::-1])


def variant(dataset: TinyDataset, root: Path, change: Callable[[Path], None], **add_target_options) -> TinyDataset:
    """A copy of the raw dataset, changed, then planned and preprocessed; its target images too."""
    from intrastyler_nnunet.nnunet.target.add import add_target

    result = TinyDataset(root)
    shutil.copytree(dataset.root / "nnUNet_raw", root / "nnUNet_raw")
    for name in ("nnUNet_preprocessed", "nnUNet_results"):
        (root / name).mkdir()
    change(result.raw)
    run_command("nnUNetv2_plan_and_preprocess", "-d", "998", "-c", "3d_fullres", "-npfp", "1", "-np", "1",
                environment=result.environment)  # fmt: skip
    add_tiny_configuration(result.preprocessed / "nnUNetPlans.json")
    add_target(998, "nnUNetPlans", processes=1, **add_target_options)
    return result


def regions(raw: Path) -> None:
    """Labels 1 and 2 together are one region, 2 alone another."""
    _describe(raw, labels={"background": 0, "whole": [1, 2], "second": 2}, regions_class_order=[1, 2])


def ignore_label(raw: Path) -> None:
    """The first slices of every case are not annotated."""
    _describe(raw, labels={"background": 0, "first": 1, "second": 2, "ignore": 3})
    for path in (raw / "labelsTr").glob("*.nii.gz"):
        image = sitk.ReadImage(str(path))
        labels = sitk.GetArrayFromImage(image)
        labels[:4] = 3
        _write_like(labels, image, path)


def black_margin(raw: Path) -> None:
    """So much black around the head that nnU-Net normalises within a mask."""
    padding = ((4, 4), (12, 12), (12, 12))
    for path in raw.glob("*/*.nii.gz"):
        image = sitk.ReadImage(str(path))
        _write_like(np.pad(sitk.GetArrayFromImage(image), padding), image, path)


def second_channel(raw: Path) -> None:
    """A second image, not translated, before the translated one."""
    _describe(raw, channel_names={"0": "other", "1": "translated"})
    rng = np.random.default_rng(1)
    for path in sorted((raw / "imagesTr").glob("*_0000.nii.gz")):
        path.rename(path.with_name(path.name.replace("_0000", "_0001")))
        write_image(path, 0.1 * head(rng, bright_label=2)[0] + 7)


def add_cascade(dataset: TinyDataset) -> None:
    """3d_lowres, preprocessed with its target images, and 3d_cascade_fullres."""
    from intrastyler_nnunet.nnunet.target.add import add_target

    path = dataset.preprocessed / "nnUNetPlans.json"
    plans = json.loads(path.read_text())
    plans["configurations"]["3d_lowres"] = {
        "inherits_from": CONFIGURATION, "spacing": LOWRES_SPACING, "patch_size": [8, 16, 24],
        "data_identifier": "nnUNetPlans_3d_lowres", "next_stage": "3d_cascade_fullres",
    }  # fmt: skip
    plans["configurations"]["3d_cascade_fullres"] = {"inherits_from": CONFIGURATION, "previous_stage": "3d_lowres"}
    path.write_text(json.dumps(plans))
    run_command("nnUNetv2_preprocess", "-d", "998", "-c", "3d_lowres", "-np", "1", environment=dataset.environment)
    add_target(998, "nnUNetPlans", 1, ["3d_lowres"])


def add_residual_encoder(dataset: TinyDataset) -> str:
    """Residual encoder plans with a tiny configuration on the same preprocessed images; their name."""
    run_command("nnUNetv2_plan_experiment", "-d", "998", "-pl", "nnUNetPlannerResEncM",
                environment=dataset.environment)  # fmt: skip
    add_tiny_configuration(dataset.preprocessed / "nnUNetResEncUNetMPlans.json")
    return "nnUNetResEncUNetMPlans"


def add_flat_configuration(dataset: TinyDataset) -> str:
    """A configuration with patches so flat that nnU-Net augments slices ("dummy 2D"); its name."""
    path = dataset.preprocessed / "nnUNetPlans.json"
    plans = json.loads(path.read_text())
    plans["configurations"]["flat"] = {"inherits_from": CONFIGURATION, "patch_size": [8, 24, 32]}
    path.write_text(json.dumps(plans))
    return "flat"


def images_to_predict(dataset: TinyDataset, folder: Path) -> Path:
    """One target image, with the second channel if the dataset has one."""
    folder.mkdir()
    image = dataset.raw / "imagesTarget" / "target_0_0000.nii.gz"
    channels = json.loads((dataset.raw / "dataset.json").read_text())["channel_names"]
    for number in channels:
        shutil.copy(image, folder / f"target_0_{int(number):04d}.nii.gz")
    return folder


def _describe(raw: Path, **changes) -> None:
    path = raw / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _write_like(array: np.ndarray, image: sitk.Image, path: Path) -> None:
    result = sitk.GetImageFromArray(array)
    result.SetSpacing(image.GetSpacing())
    sitk.WriteImage(result, str(path))
