"""A file is there whole, or what was there before."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import SimpleITK
import torch
from killed_writer import leave_half_written
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from nnunetv2.utilities.utils import get_identifiers_from_splitted_dataset_folder

from intrastyler_nnunet.errors import reason_of
from intrastyler_nnunet.files import folder_aside, is_unused, remove_half_written, written_atomically
from intrastyler_nnunet.images import write_image
from intrastyler_nnunet.locks import LOCK_FILE


def test_names_may_be_as_long_as_a_file_system_allows(tmp_path):
    path = tmp_path / ("x" * 248 + ".nii.gz")
    write_image(SimpleITK.Image([2, 2, 2], SimpleITK.sitkUInt8), path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_names_aside_differ(tmp_path):
    with folder_aside(tmp_path) as first, folder_aside(tmp_path) as second:
        assert first != second
    assert list(tmp_path.iterdir()) == []


def test_leftovers_are_no_cases_of_nnunet(tmp_path):
    images = tmp_path / "imagesTr"
    images.mkdir()
    leave_half_written(images / "case_0000.nii.gz")
    leave_half_written(images / "case.b2nd")
    assert nnUNetDatasetBlosc2.get_identifiers(str(images)) == []
    assert list(get_identifiers_from_splitted_dataset_folder(str(images), ".nii.gz")) == []


def test_only_leftovers_of_the_dead_are_removed(tmp_path):
    dead = leave_half_written(tmp_path / "below" / "further" / "case_0000.nii.gz").parent
    own = tmp_path / ".writing-by-hand"
    own.write_text("a file of the user's")
    with folder_aside(tmp_path) as living:
        remove_half_written(tmp_path)
        assert living.is_dir()
    assert own.is_file()
    assert not dead.exists()


def test_a_folder_with_leftovers_alone_is_unused(tmp_path):
    assert is_unused(tmp_path / "none")
    leave_half_written(tmp_path / "record.json")
    (tmp_path / LOCK_FILE).touch()
    assert is_unused(tmp_path)
    (tmp_path / "mine.txt").touch()
    assert not is_unused(tmp_path)


def test_what_was_there_stays_if_writing_fails(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("before")

    def write():
        with written_atomically(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("taken", "Is a directory"), ("x" * 300, "File name too long")],
)
def test_the_reason_is_the_systems_and_the_name_the_users(tmp_path, name, reason):
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=reason) as error, written_atomically(tmp_path / name) as temporary:
        temporary.touch()
    assert ".writing" not in str(error.value)
    assert str(error.value.filename) in str(tmp_path / name)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def torch_file(path: Path) -> None:
    with written_atomically(path) as temporary:
        torch.save(torch.rand(1_000_000), temporary)


def array_file(path: Path) -> None:
    noise = torch.randn(1, 80, 80, 80).numpy()
    with written_atomically(path) as temporary:
        nnUNetDatasetBlosc2.save_case(noise, noise.astype("int16"), {}, str(temporary))


def copied_folder(path: Path) -> None:
    source = path.parent.parent / "source"
    source.mkdir()
    (source / "large").write_bytes(bytes(2_000_000))
    with written_atomically(path) as temporary:
        shutil.copytree(source, temporary)


@pytest.mark.parametrize("write", [torch_file, array_file, copied_folder])
def test_a_full_disk_is_named_whichever_library_writes(small_disk, write):
    path = small_disk / "result"
    with pytest.raises(OSError) as error:  # noqa: PT011 (what it says is looked at below)
        write(path)
    assert re.fullmatch(rf"{path}: .*No space left on device", reason_of(error.value))
    assert list(small_disk.iterdir()) == []
