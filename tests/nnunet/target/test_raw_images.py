"""Unusable target images are recognised, each in one line."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from opened_files import counting_opens

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.target.raw_images import SMALLEST_CASE, check_target_image, find_target_images

VOXELS = np.random.default_rng(0).normal(size=(8, 9, 10)).astype(np.float32)


def plans(reader: str = "SimpleITKIO", spacing: tuple = (1.0, 1.0, 1.0), order: tuple = (0, 1, 2)) -> PlansManager:
    """As far as reading and resampling go."""
    resampling = {f"resampling_fn_{name}": "resample_data_or_seg_to_shape" for name in ("data", "seg")}
    resampling |= {f"{name}_kwargs": {"is_seg": name.endswith("seg"), "order": 1, "order_z": 0} for name in resampling}
    configuration = {
        "spacing": list(spacing), "normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [False],
        "patch_size": [8, 8, 8], "architecture": {}, **resampling,
    }  # fmt: skip
    return PlansManager({
        "image_reader_writer": reader, "transpose_forward": list(order),
        "transpose_backward": [order.index(axis) for axis in range(3)],
        "foreground_intensity_properties_per_channel": {"0": {}}, "configurations": {"3d": configuration},
    })  # fmt: skip


def problem_of(path: Path, of: PlansManager | None = None) -> str | None:
    """What keeps an image from being used."""
    of = of or plans()
    return check_target_image(path, of, [of.get_configuration("3d")])


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


def speck() -> np.ndarray:
    image = np.ones((20, 20, 20), np.float32)
    image[5, 5, 5:13] = 9
    return image


def box() -> np.ndarray:
    image = np.zeros((20, 20, 20), np.float32)
    image[5:15, 5:15, 5:15] = 5
    return image


def write_by_nibabel(path: Path, array: np.ndarray, shear: float = 0.0) -> None:
    affine = np.eye(4)
    affine[0, 1] = shear
    nibabel.save(nibabel.Nifti1Image(array.T, affine), path)


FAULTS = {
    "four dimensions": (lambda path: write(path, np.stack([VOXELS, VOXELS])), "shape (2, 8, 9, 10)"),
    "vectors": (lambda path: write(path, np.stack([VOXELS] * 2, axis=-1), vector=True), "an array of shape"),
    "NaN": (lambda path: write(path, with_value(np.nan)), "found NaN or infinite voxels"),
    "infinite": (lambda path: write(path, with_value(-np.inf)), "found NaN or infinite voxels"),
    "constant": (lambda path: write(path, np.full_like(VOXELS, 3)), "every voxel is 3"),
    "truncated": (write_truncated, "truncated or damaged"),
    "too short": (write_too_short, "truncated, found 1000 bytes"),
    "complex": (
        lambda path: nibabel.save(nibabel.Nifti1Image(VOXELS.astype(np.complex64), np.eye(4)), path),
        "complex",
    ),
    "single slice": (lambda path: write(path, VOXELS[:1]), "expected a volume, not a single slice"),
    "two dimensions": (lambda path: write(path, VOXELS[0]), "expected a volume, not a single slice"),
    "too few slices": (lambda path: write(path, VOXELS[:4]), "4 x 9 x 10 voxels, resampled by the plans to 4 x 9 x 10"),
    "hardly anything": (lambda path: write(path, speck()), "8 of 8000 voxels are not 1"),
    "a box of one value": (lambda path: write(path, box()), "every voxel is 5"),
    "sheared": (lambda path: write_by_nibabel(path, VOXELS, 0.4), "orthonormal"),
    "text": (lambda path: path.write_text("hello"), "truncated or damaged"),
    "empty": (lambda path: path.write_bytes(b""), "truncated or damaged"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_unusable_image(tmp_path, fault):
    make_fault, expected = FAULTS[fault]
    path = tmp_path / "case_0000.nii.gz"
    make_fault(path)
    message = problem_of(path)
    assert message.startswith(f"{path}: ")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["case_0000.nii.gz", "case_0000.nii", "case_0000.nrrd"])
def test_usable_image(tmp_path, name):
    write(tmp_path / name, VOXELS)
    assert problem_of(tmp_path / name) is None


def test_nan_in_another_format(tmp_path):
    write(tmp_path / "case_0000.nrrd", with_value(np.nan))
    assert "found NaN" in problem_of(tmp_path / "case_0000.nrrd")


def test_images_are_found_by_case(tmp_path):
    for name in ("b_0000.nii.gz", "a_1_0000.nii.gz", "notes.txt"):
        (tmp_path / name).touch()
    assert find_target_images(tmp_path, ".nii.gz") == {
        "a_1": tmp_path / "a_1_0000.nii.gz",
        "b": tmp_path / "b_0000.nii.gz",
    }


def test_names_of_bids_are_cases(tmp_path):
    for name in ("sub-01_ses-02_T2w", "sub-01_ses-02_acq-high_run-2_T2w", "sub-x_T1w_0000"):
        (tmp_path / f"{name}.nii.gz").touch()
    assert list(find_target_images(tmp_path, ".nii.gz")) == [
        "sub-01_ses-02_T2w", "sub-01_ses-02_acq-high_run-2_T2w", "sub-x_T1w"
    ]  # fmt: skip
    (tmp_path / "sub-x_T1w.nii.gz").touch()
    with pytest.raises(InputError, match=r"found sub-x_T1w\.nii\.gz and sub-x_T1w_0000\.nii\.gz, expected one"):
        find_target_images(tmp_path, ".nii.gz")
    (tmp_path / "sub-x_T1w.nii.gz").rename(tmp_path / "sub-01_high_T2w.nii.gz")  # not a key and its value
    with pytest.raises(InputError, match="not named as nnU-Net or BIDS name images"):
        find_target_images(tmp_path, ".nii.gz")


def test_folders_and_links_to_nowhere_are_no_images_and_leftovers_are_passed_over(tmp_path):
    for name in ("a_0000.nii.gz", "._a_0000.nii.gz", ".writing-1-a_0000.nii.gz"):
        (tmp_path / name).touch()
    assert list(find_target_images(tmp_path, ".nii.gz")) == ["a"]
    (tmp_path / "b_0000.nii.gz").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"b_0000.nii.gz: found a link to nothing"):
        find_target_images(tmp_path, ".nii.gz")
    (tmp_path / "b_0000.nii.gz").unlink()
    (tmp_path / "b_0000.nii.gz").mkdir()
    with pytest.raises(InputError, match=r"b_0000.nii.gz: found a folder"):
        find_target_images(tmp_path, ".nii.gz")


def test_a_sheared_image_is_usable_where_the_plans_reader_takes_it(tmp_path):
    write_by_nibabel(tmp_path / "case_0000.nii.gz", VOXELS, shear=0.4)
    assert problem_of(tmp_path / "case_0000.nii.gz", plans("NibabelIO")) is None


def test_an_image_is_decompressed_once(tmp_path):
    write(tmp_path / "case_0000.nii.gz", VOXELS)
    with counting_opens(tmp_path / "case_0000.nii.gz") as opens:
        assert problem_of(tmp_path / "case_0000.nii.gz") is None
    assert list(opens.values()) == [1]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("slices", [20, 21])
def test_the_smallest_size_is_counted_as_nnunet_preprocesses(tmp_path, order, slices):
    """Cropped to what is not zero, transposed, resampled: 15 slices of 1.5 mm are 7 of 3 mm, 16 are 8."""
    image = np.zeros((slices, 30, 30), np.float32)
    image[2:-3] = np.random.default_rng(0).normal(size=(slices - 5, 30, 30))
    volume = sitk.GetImageFromArray(image)
    volume.SetSpacing((1.0, 1.0, 1.5))
    path = tmp_path / "case_0000.nii.gz"
    sitk.WriteImage(volume, str(path))
    spacing = [(3.0, 1.0, 1.0)[axis] for axis in order]
    of = plans(spacing=spacing, order=order)
    data, _, _ = DefaultPreprocessor(verbose=False).run_case([str(path)], None, of, of.get_configuration("3d"),
                                                             {"file_ending": ".nii.gz"})  # fmt: skip
    problem = problem_of(path, of)
    assert (problem is None) == (min(data.shape[1:]) >= SMALLEST_CASE)
    if problem is not None:
        assert " x ".join(map(str, data.shape[1:])) in problem
        assert str(path) in problem
