"""Unusable target images are recognised, each in one line."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from intrastyler_nnunet.nnunet.target.raw_images import check_target_image, find_target_images

VOXELS = np.random.default_rng(0).normal(size=(8, 9, 10)).astype(np.float32)


def with_value(value: float) -> np.ndarray:
    array = VOXELS.copy()
    array[2, 3, 4] = value
    return array


def write(path: Path, array: np.ndarray, vector: bool = False) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(path))


def write_truncated(path: Path) -> None:
    write(path, VOXELS)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_too_short(path: Path) -> None:
    """A sound gzip file whose content ends early."""
    write(path, VOXELS)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:1000]))


FAULTS = {
    "four dimensions": (lambda path: write(path, np.stack([VOXELS, VOXELS])), "shape (2, 8, 9, 10)"),
    "vectors": (lambda path: write(path, np.stack([VOXELS] * 2, axis=-1), vector=True), "an array of shape"),
    "NaN": (lambda path: write(path, with_value(np.nan)), "found NaN or infinite voxels"),
    "infinite": (lambda path: write(path, with_value(-np.inf)), "found NaN or infinite voxels"),
    "constant": (lambda path: write(path, np.full_like(VOXELS, 3)), "every voxel is 3"),
    "truncated": (write_truncated, "truncated or damaged"),
    "too short": (write_too_short, "truncated, found 1000 bytes"),
    "text": (lambda path: path.write_text("hello"), "truncated or damaged"),
    "empty": (lambda path: path.write_bytes(b""), "truncated or damaged"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_unusable_image(tmp_path, fault):
    make_fault, expected = FAULTS[fault]
    path = tmp_path / "case_0000.nii.gz"
    make_fault(path)
    message = check_target_image(path, SimpleITKIO())
    assert message.startswith(f"{path}: ")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["case_0000.nii.gz", "case_0000.nii", "case_0000.nrrd"])
def test_usable_image(tmp_path, name):
    write(tmp_path / name, VOXELS)
    assert check_target_image(tmp_path / name, SimpleITKIO()) is None


def test_nan_in_another_format(tmp_path):
    write(tmp_path / "case_0000.nrrd", with_value(np.nan))
    assert "found NaN" in check_target_image(tmp_path / "case_0000.nrrd", SimpleITKIO())


def test_images_are_found_by_case(tmp_path):
    for name in ("b_0000.nii.gz", "a_1_0000.nii.gz", "notes.txt"):
        (tmp_path / name).touch()
    assert find_target_images(tmp_path, ".nii.gz") == {
        "a_1": tmp_path / "a_1_0000.nii.gz",
        "b": tmp_path / "b_0000.nii.gz",
    }
