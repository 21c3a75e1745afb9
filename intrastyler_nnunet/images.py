"""Image files: read with the checks that SimpleITK leaves out, written whole or not at all.

A compressed file is decompressed once, to a temporary file that the checks and SimpleITK read.
"""

import gzip
import math
import os
import re
import shutil
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import SimpleITK

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import named_errors, written_atomically
from intrastyler_nnunet.nifti import is_nifti_2, require_sound_nifti

NIFTI_ENDINGS = (".nii.gz", ".nii")
GIPL_ENDINGS = (".gipl.gz", ".gipl")
DETACHED_ENDINGS = (".nhdr", ".mhd")  # headers whose voxels lie in a second file
IMAGE_ENDINGS = (*NIFTI_ENDINGS, *GIPL_ENDINGS, ".nrrd", ".mha", *DETACHED_ENDINGS)
WRITTEN_ENDINGS = tuple(ending for ending in IMAGE_ENDINGS if ending not in DETACHED_ENDINGS)

GZIP_START = b"\x1f\x8b"
GIPL_HEADER_BYTES = 256
HIGHEST_COMPRESSION = 1032  # bytes that one byte of deflate can stand for, at most
HEADER_BYTES = 1 << 16  # of MetaImage and NRRD: more than any of them has
DATA_FILE = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)[ \t]*(.*?)\s*$", re.IGNORECASE | re.MULTILINE)
SILENCE = threading.Lock()  # standard error is the whole process's
LEAST_CONTRAST = 0.001  # share of voxels unlike the darkest: the window reaches to the 99.9th percentile


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


def is_bids_name(name: str) -> bool:
    """Whether a file's name without ending is one of BIDS, such as sub-01_ses-02_T1w."""
    return re.fullmatch(r"sub-[A-Za-z0-9]+(_[A-Za-z0-9]+-[A-Za-z0-9+]+)*_[A-Za-z0-9]+", name) is not None


def labels_of_image(name: str, label_maps: dict[str, Path]) -> Path | None:
    """The label map of an image: of the same name, or in BIDS with `dseg` in place of its last part."""
    if name not in label_maps and is_bids_name(name):
        name = f"{name.rpartition('_')[0]}_dseg"
    return label_maps.get(name)


def require_file(path: Path) -> None:
    """Raise InputError if `path` is a folder, or a link to one or to nothing: a case must not be skipped in silence."""
    if path.is_file():
        return
    found = "a folder" if path.is_dir() else "a link to nothing" if path.is_symlink() else "no regular file"
    raise InputError(f"{path}: found {found}, expected an image file")


def read_image(path: Path | str) -> SimpleITK.Image:
    """Read an image.

    Raises InputError for what `checked_file` refuses, and a file that SimpleITK does not read.
    """
    with checked_file(path) as file:
        try:
            with _silenced():
                return SimpleITK.ReadImage(str(file))
        except RuntimeError as error:  # its text runs over many lines, and for MetaImage names the wrong reason
            raise InputError(f"{path}: not a readable image: {_reason(file, error)}") from None


def read_volume(path: Path | str) -> SimpleITK.Image:
    """Read an image that has something to see.

    Raises InputError for what `read_image` and `require_one_channel_3d` refuse, a single slice, NaN or infinite voxels,
    and an image of which all but a thousandth are one value.
    """
    image = read_image(path)
    require_one_channel_3d(image, path)
    if min(image.GetSize()) < 2:
        raise InputError(f"{path}: found {image.GetSize()} voxels, expected a volume, not a single slice")
    require_contrast(SimpleITK.GetArrayViewFromImage(image), path)
    return image


def require_one_channel_3d(image: SimpleITK.Image, path: Path | str) -> None:
    """Raise InputError unless an image has three dimensions and one channel."""
    dimensions, channels = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    if dimensions != 3 or channels != 1:
        found = f"{dimensions} dimensions and {channels} channels"
        raise InputError(f"{path}: found {found}, expected a 3D image of one channel")


def require_contrast(voxels: np.ndarray, path: Path | str) -> None:
    """Raise InputError if voxels are NaN or infinite, or if all but a thousandth of them have the lowest value."""
    if not np.isfinite(voxels).all():
        raise InputError(f"{path}: found NaN or infinite voxels, expected finite ones")
    lowest = voxels.min()
    count = np.count_nonzero(voxels != lowest)
    if count == 0:
        raise InputError(f"{path}: every voxel is {lowest:g}, expected an image")
    if count <= LEAST_CONTRAST * voxels.size:
        raise InputError(f"{path}: {count} of {voxels.size} voxels are not {lowest:g}, expected more than a thousandth")


def require_image_name(path: Path) -> None:
    """Raise InputError unless an image can be written to `path` as one file."""
    require_encodable(path)
    if not path.name.endswith(WRITTEN_ENDINGS):
        raise InputError(f"{path}: not the name of an image in one file, expected {' or '.join(WRITTEN_ENDINGS)}")


def write_image(image: SimpleITK.Image, path: Path | str) -> None:
    """Write an image, compressed and atomically.

    Raises InputError if the name is not that of an image (see `require_image_name`), or with the reason if writing
    fails. What was at `path` stays.
    """
    require_image_name(Path(path))
    try:
        with written_atomically(path) as temporary:
            with _silenced():
                SimpleITK.WriteImage(image, str(temporary), useCompression=True)
            _require_written(image, temporary)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be written ({str(error).splitlines()[-1]})") from None


@contextmanager
def checked_file(path: Path | str) -> Iterator[Path]:
    """Give a file with the content of the image `path` to read: itself, or an uncompressed copy for the block.

    Raises InputError if the file is missing, truncated, damaged or named in no UTF-8, or if its voxels are complex; for
    a NIfTI also if its header makes no sense or a voxel is NaN or infinite; for MetaImage and NRRD if the voxels lie in
    another folder.
    """
    path = Path(path)
    require_encodable(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with _uncompressed(path) as file:
        if path.name.endswith(NIFTI_ENDINGS):
            require_sound_nifti(file, path)
        elif path.name.endswith(GIPL_ENDINGS):
            _require_voxels(file, path, file.stat().st_size - GIPL_HEADER_BYTES)
        elif path.name.endswith(IMAGE_ENDINGS):
            _require_voxels(file, path, HIGHEST_COMPRESSION * _data_file(path).stat().st_size)
        yield file


def require_encodable(path: Path) -> None:
    """Raise InputError if a path is not UTF-8: SimpleITK ends the process over it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(f"{str(path)!a}: not a name in UTF-8, expected one") from None


@contextmanager
def _uncompressed(path: Path) -> Iterator[Path]:
    with path.open("rb") as stream:
        if not path.name.endswith(".gz") or stream.peek(2)[:2] != GZIP_START:  # SimpleITK reads it as it is
            yield path
            return
        with TemporaryDirectory() as folder:
            copy = Path(folder) / path.name.removesuffix(".gz")
            try:
                with gzip.open(stream) as content, named_errors(copy), copy.open("wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)  # to the end, which also verifies the checksum
            except (EOFError, gzip.BadGzipFile, zlib.error):
                raise InputError(f"{path}: truncated or damaged, expected a complete image") from None
            yield copy


def _require_voxels(file: Path, path: Path, found: int) -> None:
    """Raise InputError if the header of `file` announces more than `found` bytes of voxels: they would be taken."""
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(file))
    try:
        with _silenced():
            reader.ReadImageInformation()
        voxel = SimpleITK.Image([1] * reader.GetDimension(), reader.GetPixelID(), reader.GetNumberOfComponents())
    except RuntimeError as error:
        raise InputError(f"{path}: not a readable image: {_reason(file, error)}") from None
    if reader.GetPixelID() in (SimpleITK.sitkComplexFloat32, SimpleITK.sitkComplexFloat64):
        raise InputError(f"{path}: found complex voxels, expected real ones")
    expected = math.prod(reader.GetSize()) * voxel.GetSizeOfPixelComponent() * voxel.GetNumberOfComponentsPerPixel()
    if found < expected:
        raise InputError(f"{path}: truncated, found at most {max(found, 0)} bytes of voxels, expected {expected}")


def _data_file(path: Path) -> Path:
    """Where the voxels of a MetaImage or NRRD lie. Raises InputError if not in one file in its folder or below."""
    with path.open("rb") as stream:
        header = stream.read(HEADER_BYTES).replace(b"\r", b"")
    if header.startswith(b"NRRD"):
        header = header.partition(b"\n\n")[0]
    named = DATA_FILE.search(header)
    if named is None or named[1].upper() == b"LOCAL":
        return path
    folder = os.path.abspath(path.parent)
    data = Path(os.path.abspath(os.path.join(folder, os.fsdecode(named[1]))))
    require_encodable(data)
    if not data.is_relative_to(folder):
        raise InputError(f"{path}: its voxels lie in {data}, expected them in its own folder")
    if not data.is_file():
        raise InputError(f"{path}: names {named[1].decode()} for its voxels, expected one file in its folder")
    return data


@contextmanager
def _silenced() -> Iterator[None]:
    """Without what the libraries in SimpleITK print to standard error: it says the same as their exceptions."""
    with SILENCE:
        try:
            kept = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def _reason(file: Path, error: RuntimeError) -> str:
    if "orthonormal" in str(error):
        return "its axes are sheared"
    if file.name.endswith(NIFTI_ENDINGS) and is_nifti_2(file):
        return "NIfTI-2, expected NIfTI-1"
    return "damaged or of another format"


def _require_written(image: SimpleITK.Image, path: Path) -> None:
    """Raise OSError if a NIfTI or GIPL is too small for its image: SimpleITK does not notice that the disk is full."""
    if not path.name.endswith(NIFTI_ENDINGS + GIPL_ENDINGS):
        return
    expected = image.GetNumberOfPixels() * image.GetNumberOfComponentsPerPixel() * image.GetSizeOfPixelComponent()
    if _written_bytes(path) < expected:
        with path.open("ab") as file:
            file.write(bytes(1 << 20))  # fails as SimpleITK's writing did, and says why
        raise OSError("the file is not complete")


def _written_bytes(path: Path) -> int:
    """Bytes of a file, of its content if it is compressed; 0 if that ends early."""
    if path.suffix != ".gz":
        return path.stat().st_size
    try:
        with gzip.open(path) as stream:
            return sum(len(chunk) for chunk in iter(lambda: stream.read(1 << 20), b""))
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return 0
