import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from opened_files import counting_opens

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import (
    DETACHED_ENDINGS,
    IMAGE_ENDINGS,
    image_files,
    labels_of_image,
    read_image,
    read_volume,
    write_image,
)

VALUES = np.random.default_rng(0).integers(0, 1000, (6, 7, 8)).astype(np.int16)


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


@pytest.mark.parametrize("ending", [ending for ending in IMAGE_ENDINGS if ending not in DETACHED_ENDINGS])
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
    with pytest.raises(InputError, match=r"a.mha and a.nii.gz"):
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
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["image.nii.gz"]


@pytest.mark.parametrize("ending", [".nii.gz", ".gipl.gz"])
def test_a_compressed_file_is_opened_once(tmp_path, ending):
    """All checks and SimpleITK, which alone opens a file twenty times to find out its format, read one copy."""
    path = write(tmp_path / f"a{ending}")
    with counting_opens(path) as opens:
        read_volume(path)
    assert opens == {path: 1}


def test_nothing_is_left_of_the_uncompressed_copy(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    path = write(tmp_path / "a.nii.gz")
    read_image(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError):
        read_image(path)
    assert list((tmp_path / "temporary").iterdir()) == []


def with_header(path, **entries) -> None:
    """Write a MetaImage whose header has other entries than its voxels."""
    write(path)
    lines = path.read_bytes().split(b"ElementDataFile")[0].decode().splitlines()
    kept = [line for line in lines if line.split(" = ")[0] not in entries]
    path.write_text("\n".join([*kept, *(f"{name} = {value}" for name, value in entries.items())]) + "\n")


@pytest.mark.parametrize("place", ["../voxels.raw", "/etc/hostname", "sub/../../voxels.raw"])
def test_voxels_outside_the_folder_of_their_header_are_not_read(tmp_path, place):
    (tmp_path / "images").mkdir()
    (tmp_path / "voxels.raw").write_bytes(VALUES.tobytes())
    with_header(tmp_path / "images" / "a.mhd", ElementDataFile=place)
    with pytest.raises(InputError, match="expected them in its own folder"):
        read_image(tmp_path / "images" / "a.mhd")
    (tmp_path / "images" / "a.nhdr").write_text(
        f"NRRD0004\ntype: short\ndimension: 3\nsizes: 8 7 6\nencoding: raw\nendian: little\ndata file: {place}\n"
    )
    with pytest.raises(InputError, match="expected them in its own folder"):
        read_image(tmp_path / "images" / "a.nhdr")


def test_voxels_that_are_missing_are_named(tmp_path):
    with_header(tmp_path / "a.mhd", ElementDataFile="b.raw")
    with pytest.raises(InputError, match=r"a.mhd: names b.raw for its voxels"):
        read_image(tmp_path / "a.mhd")


@pytest.mark.parametrize("ending", [".mhd", ".mha"])
def test_a_header_that_claims_24_gigabytes_is_refused_before_they_are_taken(tmp_path, ending):
    path = write(tmp_path / f"a{ending}")
    path.write_bytes(path.read_bytes().replace(b"DimSize = 8 7 6", b"DimSize = 2300 2300 2300"))
    with pytest.raises(InputError, match=r"truncated, found at most .* expected 24334000000"):
        read_image(path)


def test_a_nrrd_of_complex_numbers_is_refused(tmp_path):
    path = tmp_path / "a.nrrd"
    header = "NRRD0004\ntype: float\ndimension: 4\nsizes: 2 3 3 3\nkinds: complex domain domain domain\n"
    voxels = np.zeros(54, np.float32).tobytes()
    path.write_bytes(f"{header}encoding: raw\nendian: little\n\n".encode() + voxels)
    with pytest.raises(InputError, match="complex"):
        read_image(path)


@pytest.mark.parametrize("ending", [".mhd", ".nhdr", ".hdr", ".img", ".txt", ""])
def test_an_image_is_written_as_one_file_or_not_at_all(tmp_path, ending):
    with pytest.raises(InputError, match=f"a{ending}: not the name of an image in one file"):
        write_image(SimpleITK.GetImageFromArray(VALUES), tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_utf_8_is_one_line(tmp_path):
    """SimpleITK would end the process."""
    path = tmp_path / os.fsdecode(b"a\xff.nii")
    (tmp_path / "b.nii").write_bytes(write(tmp_path / "a.nii").read_bytes())
    (tmp_path / "b.nii").rename(path)
    for act in (lambda: read_image(path), lambda: write_image(SimpleITK.GetImageFromArray(VALUES), path)):
        with pytest.raises(InputError, match="not a name in UTF-8") as error:
            act()
        assert str(error.value).isascii()


def test_libraries_print_nothing_beside_the_one_line(tmp_path, capfd):
    (tmp_path / "a.mha").write_text("NDims = 3\n")
    with pytest.raises(InputError):
        read_image(tmp_path / "a.mha")
    assert capfd.readouterr().err == ""
    os.write(2, b"still there")
    assert capfd.readouterr().err == "still there"


NOTHING = np.full((20, 20, 20), 7, np.int16)
FEW, ENOUGH = NOTHING.copy(), NOTHING.copy()
FEW.ravel()[:8], ENOUGH.ravel()[:9] = 100, 100


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (VALUES[:1], "a single slice"), (VALUES[:, :, :1], "a single slice"), (VALUES[0], "found 2 dimensions"),
        (NOTHING, "every voxel is 7"), (FEW, "8 of 8000 voxels are not 7"),
    ],
)  # fmt: skip
def test_an_image_without_anything_to_see_is_refused(tmp_path, values, expected):
    with pytest.raises(InputError, match=expected):
        read_volume(write(tmp_path / "a.nii.gz", values))


def test_a_little_more_than_a_thousandth_is_a_window(tmp_path):
    """So much contrast is enough for an intensity window of some width."""
    array = SimpleITK.GetArrayFromImage(read_volume(write(tmp_path / "a.nii.gz", ENOUGH)))
    assert array.min() < np.percentile(array, 99.9)


def test_the_label_map_of_an_image_in_bids_ends_in_dseg():
    label_maps = {name: Path(name) for name in ("a", "sub-01_ses-02_dseg", "sub-02_T1w", "sub-02_dseg")}
    assert labels_of_image("a", label_maps) == Path("a")
    assert labels_of_image("sub-01_ses-02_T1w", label_maps) == Path("sub-01_ses-02_dseg")
    assert labels_of_image("sub-02_T1w", label_maps) == Path("sub-02_T1w")  # the image's own name comes first
    assert labels_of_image("sub-03_T1w", label_maps) is None
    assert labels_of_image("b_T1w", label_maps) is None
