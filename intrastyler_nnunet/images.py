"""Reading images with the checks SimpleITK leaves out.

SimpleITK reads a truncated NIfTI or GIPL file without complaint: the missing voxels come back as zeros. So do
the voxels of a NIfTI file that are not finite.
"""

import gzip
import math
import zlib
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically

NIFTI_ENDINGS = (".nii.gz", ".nii")
GIPL_ENDINGS = (".gipl.gz", ".gipl")
IMAGE_ENDINGS = (*NIFTI_ENDINGS, *GIPL_ENDINGS, ".nrrd", ".nhdr", ".mha", ".mhd")
GIPL_HEADER_BYTES = 256


def image_files(folder: Path | str) -> dict[str, Path]:
    """The images in `folder` by name without ending, sorted.

    Raises InputError if the folder is missing or holds two images of one name (`a.nii.gz` beside `a.mha`), or what is
    named like an image and is none (see `require_file`).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        ending = next((ending for ending in IMAGE_ENDINGS if path.name.endswith(ending)), None)
        if ending is None or path.name.startswith("."):
            continue
        name = path.name.removesuffix(ending)
        if name in files:
            raise InputError(f"{folder}: found {files[name].name} and {path.name}, expected one of them")
        require_file(path)
        files[name] = path
    return dict(sorted(files.items()))


def require_file(path: Path) -> None:
    """Raise InputError if `path` is a folder, or a link to one or to nothing: a case must not be skipped in silence."""
    if path.is_file():
        return
    found = "a folder" if path.is_dir() else "a link to nothing" if path.is_symlink() else "no regular file"
    raise InputError(f"{path}: found {found}, expected an image file")


def read_image(path: Path | str) -> SimpleITK.Image:
    """Read an image.

    Raises InputError if the file is missing, damaged, truncated or of no known format, or a NIfTI with NaN or
    infinite voxels (in other formats SimpleITK hands those on).
    """
    require_complete(path)
    if str(path).endswith(NIFTI_ENDINGS):
        _require_finite(path)
    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError:  # its text runs over many lines, and for MetaImage names the wrong reason
        raise InputError(f"{path}: not a readable image: damaged, sheared or of another format") from None


def write_image(image: SimpleITK.Image, path: Path) -> None:
    """Write an image, compressed and atomically.

    Raises InputError with the reason if that fails. What was at `path` stays.
    """
    try:
        with written_atomically(path) as temporary:
            SimpleITK.WriteImage(image, str(temporary), useCompression=True)
            _require_written(temporary)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be written ({error.strerror})") from None
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be written ({str(error).splitlines()[-1]})") from None


def _require_written(path: Path) -> None:
    """SimpleITK does not notice that the disk is full."""
    try:
        require_complete(path)
    except InputError:
        raise RuntimeError("the file is not complete") from None


def require_complete(path: Path | str) -> None:
    """Raise InputError if `path` is missing or holds fewer bytes than its header announces.

    Only for NIfTI and GIPL, gzipped or not; SimpleITK itself notices truncated NRRD and MetaImage files.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if not path.name.endswith(NIFTI_ENDINGS + GIPL_ENDINGS):
        return
    try:
        found = _uncompressed_bytes(path)
        expected = _announced_bytes(path)
    except (EOFError, OSError, zlib.error, RuntimeError, nibabel.filebasedimages.ImageFileError):
        raise InputError(f"{path}: truncated or damaged, expected a complete image") from None
    if found < expected:
        raise InputError(f"{path}: truncated, found {found} bytes of image file, expected {expected}")


def _require_finite(path: Path | str) -> None:
    image = nibabel.load(path)
    if image.get_data_dtype().kind == "f" and not np.isfinite(image.dataobj).all():
        raise InputError(f"{path}: found NaN or infinite voxels, expected finite ones")


def _uncompressed_bytes(path: Path) -> int:
    if path.suffix != ".gz":
        return path.stat().st_size
    with gzip.open(path) as stream:  # reading to the end also verifies the checksum
        return sum(len(chunk) for chunk in iter(lambda: stream.read(1 << 20), b""))


def _announced_bytes(path: Path) -> int:
    if path.name.endswith(NIFTI_ENDINGS):
        image = nibabel.load(path)
        return image.dataobj.offset + math.prod(image.shape) * image.get_data_dtype().itemsize
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    pixel_bytes = SimpleITK.Image([1] * reader.GetDimension(), reader.GetPixelID()).GetSizeOfPixelComponent()
    return GIPL_HEADER_BYTES + math.prod(reader.GetSize()) * pixel_bytes
