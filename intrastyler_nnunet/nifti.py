"""What a NIfTI file must say of itself before it is read.

SimpleITK takes 1 mm for a spacing of zero, flips an axis for a negative one, reads a missing dimension as one voxel and
the missing voxels of a truncated file as zeros; so it does with voxels that are not finite.
"""

import math
from pathlib import Path

import nibabel
import numpy as np

from intrastyler_nnunet.errors import InputError

NIFTI_2_BYTES = 540  # of the header, with which it begins
MAGIC = (b"n+1", b"ni1", b"n+2", b"ni2")


def require_sound_nifti(file: Path, path: Path) -> None:
    """Raise InputError, naming `path`, unless the uncompressed `file` is whole, its header sound, its voxels finite."""
    header = _header(file, path)
    fault = _fault(header)
    if fault is not None:
        found, expected = fault
        raise InputError(f"{path}: NIfTI header with {found}, expected {expected}")
    kind, offset, count = header.get_data_dtype(), int(header["vox_offset"]), math.prod(header.get_data_shape())
    size, announced = file.stat().st_size, offset + count * kind.itemsize
    if size < announced:
        raise InputError(f"{path}: truncated, found {size} bytes of image file, expected {announced}")
    if kind.kind == "f" and not np.isfinite(np.memmap(file, kind, "r", offset, (count,))).all():
        raise InputError(f"{path}: found NaN or infinite voxels, expected finite ones")


def is_nifti_2(file: Path) -> bool:
    """Whether an uncompressed file begins as NIfTI-2 does, which SimpleITK does not read."""
    with file.open("rb") as stream:
        start = stream.read(4)
    return NIFTI_2_BYTES in (int.from_bytes(start, order) for order in ("little", "big"))


def _header(file: Path, path: Path) -> nibabel.Nifti1Header:
    kind = nibabel.Nifti2Header if is_nifti_2(file) else nibabel.Nifti1Header
    length = kind.template_dtype.itemsize
    with file.open("rb") as stream:
        block = stream.read(length)
    header = kind(block, check=False) if len(block) == length else None
    if header is None or header["magic"].item() not in MAGIC:
        raise InputError(f"{path}: truncated or damaged, expected a NIfTI image")
    return header


def _fault(header: nibabel.Nifti1Header) -> tuple[str, str] | None:
    """What is wrong with a header and what would be right; None if nothing is."""
    number, *extents = header["dim"].tolist()
    extents = extents[: max(number, 0)]
    if not 1 <= number <= 7 or min(extents) < 1:
        return f"{number} dimensions of {extents} voxels", "1 to 7 of at least one"
    try:
        kind = header.get_data_dtype()
    except KeyError:
        kind = None
    if kind is None or kind.itemsize == 0:
        return f"the data type {header['datatype'].item()}", "one of NIfTI's"
    if kind.kind == "c":
        return "complex voxels", "real ones"
    if not header["vox_offset"] >= header["sizeof_hdr"]:
        return f"voxels at byte {header['vox_offset'].item():g}", f"at least {header['sizeof_hdr'].item()}"
    slope, intercept = header["scl_slope"].item(), header["scl_inter"].item()
    # A slope of NaN or zero means unscaled voxels, whatever the intercept.
    if math.isinf(slope) or (math.isfinite(slope) and slope != 0 and not math.isfinite(intercept)):
        return f"slope {slope:g} and intercept {intercept:g}", "finite ones"
    spacing = header["pixdim"][1 : 1 + min(number, 3)]
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        return f"pixdim {spacing.tolist()}", "voxel sizes above 0"
    return _fault_of_axes(header)


def _fault_of_axes(header: nibabel.Nifti1Header) -> tuple[str, str] | None:
    if header["sform_code"] > 0:
        sform = header.get_sform()
        if not np.isfinite(sform).all() or np.linalg.det(sform[:3, :3]) == 0:
            return f"sform {sform[:3].tolist()}", "three axes and an origin"
    if header["qform_code"] > 0:
        rotation = [header[f"quatern_{axis}"].item() for axis in "bcd"]
        origin = [header[f"qoffset_{axis}"].item() for axis in "xyz"]
        # A little more than 1 is rounding.
        if not np.isfinite(origin).all() or not np.sum(np.square(rotation)) < 1.01:
            return f"qform {rotation} {origin}", "a unit quaternion and an origin"
    return None
