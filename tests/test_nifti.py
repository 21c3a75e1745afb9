"""NIfTI files with faults: the right voxels, or one line that says what is wrong."""

import gzip
import struct

import nibabel
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import read_image

VOXELS = np.random.default_rng(0).integers(0, 1000, (8, 9, 10)).astype(np.int16)
AFFINE = np.diag([-1.0, -1.0, 1.5, 1.0])
NAN, INF = float("nan"), float("inf")
# Where the entries of a NIfTI-1 header lie, and their types.
DIM, DATATYPE, PIXDIM, OFFSET = (40, "8h"), (70, "h"), (76, "4f"), (108, "f")
SCALE, QUATERN, QOFFSET, SFORM = (112, "2f"), (256, "3f"), (268, "3f"), (280, "12f")


def content(*changes: tuple, image=None) -> bytes:
    """A NIfTI file, or another image's, whose header is changed: ((where, type), values...)."""
    data = bytearray((image or nibabel.Nifti1Image(VOXELS, AFFINE)).to_bytes())
    for (place, kind), *values in changes:
        struct.pack_into(f"<{kind}", data, place, *values)
    return bytes(data)


def placed_by_quaternion() -> nibabel.Nifti1Image:
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    image.header.set_sform(None, 0)
    image.header.set_qform(AFFINE, 1)
    return image


def sheared() -> np.ndarray:
    affine = AFFINE.copy()
    affine[0, 1] = 0.4
    return affine


FAULTS = {
    "negative dimension": (content((DIM, 3, 8, -9, 10, 1, 1, 1, 1)), "3 dimensions of [8, -9, 10] voxels"),
    "empty dimension": (content((DIM, 3, 8, 0, 10, 1, 1, 1, 1)), "3 dimensions of [8, 0, 10] voxels"),
    "no dimension": (content((DIM, 0, 8, 9, 10, 1, 1, 1, 1)), "0 dimensions"),
    "unknown type": (content((DATATYPE, 77)), "the data type 77"),
    "no type": (content((DATATYPE, 0)), "the data type 0"),
    "complex": (content(image=nibabel.Nifti1Image(VOXELS.astype(np.complex64), AFFINE)), "complex voxels"),
    "intercept": (content((SCALE, 1, NAN)), "slope 1 and intercept nan, expected finite"),
    "infinite slope": (content((SCALE, INF, 0)), "slope inf"),
    "zero spacing": (content((PIXDIM, 1, 0, 1, 1.5)), "pixdim [0.0, 1.0, 1.5], expected voxel sizes above 0"),
    "negative spacing": (content((PIXDIM, 1, -1, 1, 1.5)), "pixdim [-1.0, 1.0, 1.5]"),
    "NaN spacing": (content((PIXDIM, 1, NAN, 1, 1.5)), "pixdim [nan, 1.0, 1.5]"),
    "infinite spacing": (content((PIXDIM, 1, INF, 1, 1.5)), "pixdim [inf, 1.0, 1.5]"),
    "zero sform": (content((SFORM, *[0] * 12)), "sform [[0.0, 0.0, 0.0, 0.0]"),
    "NaN sform": (content((SFORM, *[NAN] * 12)), "sform [[nan"),
    "NaN in the origin": (content((SFORM, -1, 0, 0, NAN, 0, -1, 0, 0, 0, 0, 1.5, 0)), "three axes and an origin"),
    "NaN quaternion": (content((QUATERN, NAN, 0, 0), image=placed_by_quaternion()), "qform [nan, 0.0, 0.0]"),
    "no unit quaternion": (content((QUATERN, 2, 3, 4), image=placed_by_quaternion()), "expected a unit quaternion"),
    "NaN offset": (content((QOFFSET, NAN, 0, 0), image=placed_by_quaternion()), "qform"),
    "24 GB": (content((DIM, 3, 2300, 2300, 2300, 1, 1, 1, 1)), "truncated, found 1792 bytes"),
    "voxels in the header": (content((OFFSET, 0)), "voxels at byte 0"),
    "NaN place of the voxels": (content((OFFSET, NAN)), "voxels at byte nan"),
    "voxels beyond the end": (content((OFFSET, 1e6)), "truncated"),
    "sheared": (content(image=nibabel.Nifti1Image(VOXELS, sheared())), "its axes are sheared"),
    "NIfTI-2": (content(image=nibabel.Nifti2Image(VOXELS, AFFINE)), "NIfTI-2, expected NIfTI-1"),
    "Analyze": (content(((344, "4s"), b"\0\0\0\0")), "expected a NIfTI image"),
    "short": (content()[:300], "truncated or damaged"),
}  # fmt: skip


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line(tmp_path, fault, ending):
    data, expected = FAULTS[fault]
    path = tmp_path / f"a{ending}"
    path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    with pytest.raises(InputError) as error:
        read_image(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert expected in message
    assert "\n" not in message


SOUND = {
    "as written": content(),
    "NaN slope, as nibabel writes it": content((SCALE, NAN, NAN)),
    "wrong bits per voxel": content(((72, "h"), 99)),
    "a quaternion alone": content(image=placed_by_quaternion()),
    "a quaternion that is not used": content((QUATERN, NAN, 0, 0), ((252, "h"), 0)),
    "the magic of a pair": content(((344, "4s"), b"ni1\0")),
    "more bytes than voxels": content() + b"more",
}


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "plain.nii.gz"])
@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_file_is_read(tmp_path, kind, name):
    """`plain.nii.gz` is not compressed: SimpleITK and so nnU-Net read it all the same."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(SOUND[kind]) if name == "a.nii.gz" else SOUND[kind])
    image = read_image(path)
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), VOXELS.T)
    assert image.GetSpacing() == (1, 1, 1.5)
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)


TYPES = (np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(TYPES), compressed=st.booleans(), big_endian=st.booleans(),
    slope=st.sampled_from([0.0, 1.0, 0.25, 3.0]), intercept=st.sampled_from([0.0, -7.0]),
    shape=st.tuples(*[st.integers(1, 5)] * 3),
)  # fmt: skip
def test_what_is_read_is_what_simpleitk_reads(tmp_path_factory, kind, compressed, big_endian, slope, intercept, shape):
    """Voxels, type, grid and metadata do not depend on whether SimpleITK read a copy."""
    values = np.random.default_rng(0).integers(0, 100, shape).astype(kind)
    header = nibabel.Nifti1Header(endianness=">" if big_endian else "<")
    header.set_data_dtype(kind)
    image = nibabel.Nifti1Image(values, AFFINE, header)
    image.header["scl_slope"], image.header["scl_inter"] = slope, intercept
    path = tmp_path_factory.mktemp("nifti") / ("a.nii.gz" if compressed else "a.nii")
    path.write_bytes(gzip.compress(image.to_bytes()) if compressed else image.to_bytes())
    ours, theirs = read_image(path), SimpleITK.ReadImage(str(path))
    assert ours.GetPixelID() == theirs.GetPixelID()
    assert np.array_equal(SimpleITK.GetArrayFromImage(ours), SimpleITK.GetArrayFromImage(theirs))
    for quantity in ("GetSpacing", "GetOrigin", "GetDirection", "GetMetaDataKeys"):
        assert getattr(ours, quantity)() == getattr(theirs, quantity)()
    assert all(ours.GetMetaData(key) == theirs.GetMetaData(key) for key in theirs.GetMetaDataKeys())
