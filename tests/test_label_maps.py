"""The one reader of label maps, the one comparison of grids, and the type that label values are stored in."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.grids import SamplingGrid, label_image, label_type, labels_onto, require_same_grid
from intrastyler_nnunet.label_maps import read_label_map

GRID = SamplingGrid((5, 4, 3), (0.5, 0.6, 1.5), (-10.0, 20.0, 3.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def write(path: Path, values: np.ndarray) -> Path:
    image = SimpleITK.GetImageFromArray(values)
    image.CopyInformation(GRID.empty())
    SimpleITK.WriteImage(image, str(path))
    return path


def values_of(kind: type, *values: float) -> np.ndarray:
    array = np.zeros(GRID.size[::-1], kind)
    array.ravel()[: len(values)] = values
    return array


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_whole_numbers_of_any_type_are_read_as_integers_on_their_grid(tmp_path, kind):
    array = values_of(kind, 1, 2, 100)
    label_map = read_label_map(write(tmp_path / "a.nii.gz", array))
    assert np.issubdtype(label_map.labels.dtype, np.integer)
    assert np.array_equal(label_map.labels, array)
    assert np.allclose(label_map.spacing, (1.5, 0.6, 0.5))
    require_same_grid(label_map.grid, GRID, Path("a"), Path("b"))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (values_of(np.float32, 0.5), "found the value 0.5, expected whole numbers"),
        (values_of(np.float32, 1e30), "found the value 1e"),
        (values_of(np.int32, 40_000), "found the value 40000, expected whole numbers up to 32767"),
        (values_of(np.int32, -40_000), "found the value -40000"),
    ],
)
def test_values_that_nnunet_cannot_hold_are_refused(tmp_path, array, expected):
    with pytest.raises(InputError, match=expected):
        read_label_map(write(tmp_path / "a.nii.gz", array))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size": (5, 4, 2)}, "found size (5, 4, 2), expected (5, 4, 3)"),
        ({"spacing": (0.5, 0.6, 1.502)}, "found spacing (0.5, 0.6, 1.502), expected (0.5, 0.6, 1.5)"),
        ({"origin": (-10.0, 20.0, 0.0)}, "found origin (-10.0, 20.0, 0.0)"),
        ({"direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1)}, "found direction (-1"),
    ],
)
def test_the_first_difference_of_two_grids_is_named_with_both_files(change, expected):
    with pytest.raises(InputError) as error:
        require_same_grid(replace(GRID, **change), GRID, Path("one.nii.gz"), Path("other.nii.gz"))
    assert str(error.value).startswith(f"one.nii.gz: {expected}")
    assert str(error.value).endswith("that of other.nii.gz")


def test_rounding_to_32_bits_is_no_difference():
    rounded = {name: tuple(np.float32(getattr(GRID, name)).tolist()) for name in ("spacing", "origin", "direction")}
    require_same_grid(replace(GRID, **rounded), GRID, Path("a"), Path("b"))


@given(st.lists(st.integers(-32_767, 32_767), min_size=1, max_size=9))
def test_the_type_of_labels_is_8_bit_or_holds_them(values):
    array = np.array(values)
    kind = label_type(array)
    assert np.array_equal(array.astype(kind), array)
    assert (kind == np.uint8) == (min(values) >= 0 and max(values) <= 255)


def test_labels_above_255_keep_their_values_when_moved():
    labels = np.zeros(GRID.size[::-1], int)
    labels[:, :2], labels[:, 2:] = 300, 256
    moved = labels_onto(label_image(labels, GRID), GRID)
    assert np.array_equal(SimpleITK.GetArrayFromImage(moved), labels)
