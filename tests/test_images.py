import gzip
import os
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import IMAGE_ENDINGS, image_files, read_image, write_image

VALUES = np.random.default_rng(0).integers(0, 1000, (6, 7, 8)).astype(np.int16)
DETACHED = (".nhdr", ".mhd")  # headers whose voxels lie in a second file


def write(path, values=VALUES):
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values), str(path))
    return path


@pytest.mark.parametrize("ending", IMAGE_ENDINGS)
def test_a_complete_image_is_read(tmp_path, ending):
    image = read_image(write(tmp_path / f"a{ending}"))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), VALUES)


def test_a_scaled_nifti_is_complete_although_its_voxels_are_smaller_than_those_read(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(np.linspace(0, 1, 64).reshape(4, 4, 4), np.eye(4))
    image.set_data_dtype(np.uint8)  # stored in 1 byte with a slope, read as floating point
    nibabel.save(image, tmp_path / "a.nii")
    assert SimpleITK.GetArrayFromImage(read_image(tmp_path / "a.nii")).max() == pytest.approx(1)


@pytest.mark.parametrize("ending", [ending for ending in IMAGE_ENDINGS if ending not in DETACHED])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_a_truncated_image_is_noticed(tmp_path, ending, kept):
    path = write(tmp_path / f"a{ending}")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match=f"a{ending}") as error:
        read_image(path)
    assert "\n" not in str(error.value)


def test_a_gzip_file_that_ends_well_but_holds_too_little_is_noticed(tmp_path):
    path = write(tmp_path / "a.nii.gz")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with pytest.raises(InputError, match="truncated, found 1023 bytes of image file, expected 1024"):
        read_image(path)


def test_a_flipped_bit_in_a_gzip_file_is_noticed(tmp_path):
    path = write(tmp_path / "a.nii.gz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_image(path)


@pytest.mark.parametrize("ending", IMAGE_ENDINGS)
def test_text_is_not_an_image(tmp_path, ending):
    (tmp_path / f"a{ending}").write_text("not an image\n" * 100)
    with pytest.raises(InputError):
        read_image(tmp_path / f"a{ending}")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_nifti_voxel_that_is_not_finite_is_noticed(tmp_path, ending, value):
    values = VALUES.astype(np.float32)
    values[1, 2, 3] = value
    with pytest.raises(InputError, match="NaN or infinite"):
        read_image(write(tmp_path / f"a{ending}", values))


def test_images_are_listed_by_name(tmp_path):
    for name in ("b.nii.gz", "a.1.mha", ".hidden.nii.gz", "dataset.json"):
        (tmp_path / name).touch()
    assert image_files(tmp_path) == {"a.1": tmp_path / "a.1.mha", "b": tmp_path / "b.nii.gz"}


def test_two_images_of_one_name_are_refused(tmp_path):
    (tmp_path / "a.mha").touch()
    (tmp_path / "a.nii.gz").touch()
    with pytest.raises(InputError, match="a.mha and a.nii.gz"):
        image_files(tmp_path)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: path.symlink_to(path.parent.parent), "a folder"),
        (lambda path: path.symlink_to(path.parent / "gone"), "a link to nothing"),
        (os.mkfifo, "no regular file"),
    ],
)
def test_what_is_named_like_an_image_and_is_none_is_refused(tmp_path, make, found):
    folder = tmp_path / "images"
    folder.mkdir()
    make(folder / "case.nii.gz")
    with pytest.raises(InputError, match=f"case.nii.gz: found {found}, expected an image file"):
        image_files(folder)


def test_links_to_images_and_to_their_folder_are_followed(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "case.nii.gz").touch()
    (tmp_path / "images" / "linked.nii.gz").symlink_to(tmp_path / "images" / "case.nii.gz")
    (tmp_path / "link").symlink_to(tmp_path / "images")
    assert list(image_files(tmp_path / "link")) == ["case", "linked"]


def test_a_full_disk_is_one_line_and_the_old_image_stays(tmp_path):
    path = tmp_path / "image.nii.gz"
    write_image(SimpleITK.Image([2, 2, 2], SimpleITK.sitkUInt8), path)
    before = path.read_bytes()
    program = (
        "import resource, signal, sys, numpy, SimpleITK\n"
        "from intrastyler_nnunet.images import write_image\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"  # no file may grow larger
        "noise = numpy.random.default_rng(0).integers(0, 255, (50, 50, 50)).astype('uint8')\n"
        "write_image(SimpleITK.GetImageFromArray(noise), sys.argv[1])\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True)
    assert "image.nii.gz: cannot be written (File too large)" in run.stderr
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["image.nii.gz"]
