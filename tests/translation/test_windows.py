"""The intensity window and its map, there and back."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.translation.windows import (
    from_generator_space,
    intensity_window,
    read_windows,
    to_generator_space,
    windows_file,
)


def test_window_is_minimum_and_999th_permille():
    volume = np.random.default_rng(0).permutation(np.arange(1001.0)).reshape(7, 11, 13)
    np.testing.assert_allclose(intensity_window(volume), (0.0, 999.0))


@given(st.integers(0, 1000), st.floats(-5, 0), st.floats(0.1, 20))
def test_round_trip_inside_the_window(seed, lo, width):
    window = torch.tensor([[lo, lo + width]])
    z = lo + width * torch.rand(1, 1, 4, 4, 4, generator=torch.Generator().manual_seed(seed))
    generator_space = to_generator_space(z, window)
    assert generator_space.abs().max() <= 1
    torch.testing.assert_close(from_generator_space(generator_space, window), z, atol=1e-4, rtol=1e-4)


def test_each_sample_has_its_own_window_and_outliers_are_clipped():
    z = torch.tensor([[-1.0, 0.0, 9.0], [-1.0, 0.0, 9.0]]).reshape(2, 1, 3, 1, 1)
    mapped = to_generator_space(z, torch.tensor([[-1.0, 1.0], [0.0, 18.0]]))
    expected = torch.tensor([[-1.0, 0.0, 1.0], [-1.0, -1.0, 0.0]]).reshape(2, 1, 3, 1, 1)
    torch.testing.assert_close(mapped, expected)


def preprocessed(folder: Path, data: np.ndarray) -> Path:
    """A folder with one preprocessed case."""
    folder.mkdir()
    nnUNetDatasetBlosc2.save_case(data, np.zeros_like(data, np.int16), {}, str(folder / "case"))
    return folder


def test_a_preprocessed_case_with_nan_has_no_window(tmp_path):
    data = np.random.default_rng(0).normal(size=(1, 8, 10, 12)).astype(np.float32)
    data[0, 3, 4, 5] = np.nan
    with pytest.raises(InputError, match=r"case\.b2nd: found NaN or infinite voxels"):
        read_windows(preprocessed(tmp_path / "source", data))
    assert not windows_file(tmp_path / "source").exists()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"window": [0.0, float("nan")], "case_written_ns": 1}, "case.window.1 is NaN, expected a finite number"),
        (
            {"window": [1.0, 0.0], "case_written_ns": 1},
            r"case.window is \[1.0, 0.0\], expected the smaller value first",
        ),
        ({"window": [1.0], "case_written_ns": 1}, 'no entry "1" in case.window'),
        ([0.0, 1.0], r"case is \[0.0, 1.0\], expected an object"),
    ],
)
def test_damaged_caches_of_windows_are_named(tmp_path, entry, message):
    folder = preprocessed(tmp_path / "source", np.random.default_rng(0).normal(size=(1, 8, 10, 12)).astype(np.float32))
    windows_file(folder).write_text(json.dumps({"case": entry}))
    with pytest.raises(InputError, match=f"source_intensity_windows.json: {message}"):
        read_windows(folder)


def random_case(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, 8, 10, 12)).astype(np.float32)


def forge(folder: Path, window: tuple[float, float]) -> None:
    """Put another window into the cache, so that whoever computes it anew is seen to."""
    content = json.loads(windows_file(folder).read_text())
    content["case"]["window"] = window
    windows_file(folder).write_text(json.dumps(content))


def test_a_copy_has_the_windows_of_the_original_whatever_its_time(tmp_path):
    folder = preprocessed(tmp_path / "source", random_case())
    read_windows(folder)
    forge(folder, (0.0, 7.0))
    copied = tmp_path / "node" / "source"
    shutil.copytree(folder, copied)
    shutil.copy(windows_file(folder), windows_file(copied))
    os.utime(copied / "case.b2nd", ns=(1, 1))
    assert read_windows(copied) == {"case": (0.0, 7.0)}
    assert json.loads(windows_file(copied).read_text())["case"]["case_written_ns"] == 1


def test_other_content_has_a_window_of_its_own_whatever_its_time(tmp_path):
    folder = preprocessed(tmp_path / "source", random_case())
    read_windows(folder)
    (folder / "case.b2nd").unlink()
    (folder / "case_seg.b2nd").unlink()
    nnUNetDatasetBlosc2.save_case(random_case(1), np.zeros((1, 8, 10, 12), np.int16), {}, str(folder / "case"))
    low, high = read_windows(folder)["case"]
    assert np.allclose((low, high), intensity_window(random_case(1)))


def test_caches_of_former_versions_are_read_and_completed(tmp_path):
    folder = preprocessed(tmp_path / "source", random_case())
    written = (folder / "case.b2nd").stat().st_mtime_ns
    windows_file(folder).write_text(json.dumps({"case": {"window": [0.0, 7.0], "case_written_ns": written}}))
    assert read_windows(folder) == {"case": (0.0, 7.0)}
    assert json.loads(windows_file(folder).read_text())["case"]["content"]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    folder = preprocessed(tmp_path / "source", random_case())

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patched:  # root may write wherever permissions forbid it
        patched.setattr(os, "mkdir", refused)
        expected = read_windows(folder)
    assert not windows_file(folder).exists()
    assert read_windows(folder) == expected


def test_parts_add_to_the_cache(tmp_path):
    folder = preprocessed(tmp_path / "source", random_case())
    nnUNetDatasetBlosc2.save_case(random_case(1), np.zeros((1, 8, 10, 12), np.int16), {}, str(folder / "other"))
    assert list(read_windows(folder, cases={"other"})) == ["other"]
    assert list(read_windows(folder, cases={"case"})) == ["case"]
    assert list(json.loads(windows_file(folder).read_text())) == ["case", "other"]
