"""The archive of label maps for the validation leaderboard."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import SimpleITK

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.evaluation.label_maps import read_label_map, require_on_grid_of
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.images import image_files, read_image, write_image
from intrastyler_nnunet.structures import ARCHIVE_PATTERN, Structures

# Generous bounds around three measured label maps (both cochleae 96-168 mm3, tumour 961-2392 mm3).
PLAUSIBLE_TUMOUR, PLAUSIBLE_COCHLEAE = (20.0, 30_000.0), (60.0, 300.0)


def check_submission(
    predictions: Path, originals: Path, suffix: str, structures: Structures
) -> tuple[dict[str, Path], list[str]]:
    """Find a valid label map for every original image.

    Args:
        predictions: folder of `<case>` label maps.
        originals: folder of `<case><suffix>` images, which decide what cases there are.
        suffix: what the images' names have and the label maps' names have not, such as "_T2".
        structures: of the edition.

    Returns:
        Label maps by case, and warnings about implausible volumes.

    Raises:
        InputError: an original without the suffix or without a prediction; a prediction that is unreadable, not of
            an integer type, on another grid than its image, or holds other values.
    """
    predicted, images = image_files(predictions), image_files(originals)
    if not images:
        raise InputError(f"{originals}: found no image, expected those that were predicted")
    chosen, warnings = {}, []
    for name, image in images.items():
        if not name.endswith(suffix):
            raise InputError(f"{image}: its name does not end in {suffix!r}, expected that before the file ending")
        case = name.removesuffix(suffix)
        if case not in predicted:
            raise InputError(f"{predictions}: no label map for {case}, expected one per image in {originals}")
        chosen[case] = predicted[case]
        warnings += [f"{predicted[case]}: {warning}" for warning in _check(predicted[case], image, structures)]
    return chosen, warnings


def write_archive(label_maps: dict[str, Path], archive: Path, pattern: str = ARCHIVE_PATTERN) -> None:
    """Write a flat zip of 8-bit label maps; an older archive stays until the new one is complete.

    Args:
        label_maps: by case.
        archive: file to write.
        pattern: of the names inside, with "{case}" in it, ending in .nii.gz.

    Raises:
        InputError: a bad pattern; the archive cannot be written.
    """
    if "{case}" not in pattern or not pattern.endswith(".nii.gz") or "/" in pattern:
        raise InputError(f"pattern {pattern!r}, expected a file name with {{case}} in it that ends in .nii.gz")
    try:
        with written_atomically(archive) as temporary, zipfile.ZipFile(temporary, "w") as file:
            for name, content in _eight_bit(label_maps, pattern):
                file.write(content, name)
    except OSError as error:
        raise InputError(f"{archive}: cannot be written ({error.strerror}), expected a writable place") from None


def _eight_bit(label_maps: dict[str, Path], pattern: str) -> Iterator[tuple[str, Path]]:
    with TemporaryDirectory() as folder:
        for case, path in label_maps.items():
            name = pattern.replace("{case}", case)
            write_image(SimpleITK.Cast(read_image(path), SimpleITK.sitkUInt8), Path(folder) / name)
            yield name, Path(folder) / name


def _check(prediction: Path, original: Path, structures: Structures) -> list[str]:
    reader = SimpleITK.ImageFileReader()
    label_map = read_label_map(prediction, structures.values)
    reader.SetFileName(str(prediction))
    reader.ReadImageInformation()
    if reader.GetPixelID() in (SimpleITK.sitkFloat32, SimpleITK.sitkFloat64):
        raise InputError(f"{prediction}: found a floating-point image, expected an integer type")
    require_on_grid_of(label_map, original)
    voxel = float(np.prod(label_map.spacing))
    warnings = []
    for structure, values, (low, high) in (
        ("tumour", tuple(structures.tumour.values()), PLAUSIBLE_TUMOUR),
        ("cochleae", (structures.cochlea,), PLAUSIBLE_COCHLEAE),
    ):
        volume = float(np.isin(label_map.labels, values).sum() * voxel)
        if not low <= volume <= high:
            warnings.append(f"{structure} of {volume:.0f} mm3, usual are {low:g} to {high:g}")
    return warnings
