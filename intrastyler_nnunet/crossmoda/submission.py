"""The archive of label maps for the validation leaderboard."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import SimpleITK

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.grids import SamplingGrid, label_image, require_same_grid
from intrastyler_nnunet.images import image_files, read_image, write_image
from intrastyler_nnunet.label_maps import LabelMap, read_label_map
from intrastyler_nnunet.structures import ARCHIVE_PATTERN, Structures

# Generous bounds around three measured label maps (both cochleae 96-168 mm3, tumour 961-2392 mm3).
PLAUSIBLE_TUMOUR, PLAUSIBLE_COCHLEAE = (20.0, 30_000.0), (60.0, 300.0)


def submitted_files(predictions: Path, originals: Path, suffix: str) -> dict[str, tuple[Path, Path]]:
    """The label map of every original image, and that image, by case.

    Args:
        predictions: folder of `<case>` label maps.
        originals: folder of `<case><suffix>` images, which decide what cases there are.
        suffix: what the images' names have and the label maps' names have not, such as "_T2".

    Raises:
        InputError: no original, or one without the suffix or without a prediction.
    """
    predicted, images = image_files(predictions), image_files(originals)
    if not images:
        raise InputError(f"{originals}: found no image, expected those that were predicted")
    chosen = {}
    for name, image in images.items():
        if not name.endswith(suffix):
            raise InputError(f"{image}: its name does not end in {suffix!r}, expected that before the file ending")
        case = name.removesuffix(suffix)
        if case not in predicted:
            raise InputError(f"{predictions}: no label map for {case}, expected one per image in {originals}")
        chosen[case] = predicted[case], image
    return chosen


def write_archive(
    files: dict[str, tuple[Path, Path]], archive: Path, structures: Structures, pattern: str = ARCHIVE_PATTERN
) -> list[str]:
    """Check label maps and write them to a flat zip, 8 bit; an older archive stays until the new one is complete.

    Args:
        files: label map and original image, by case.
        archive: file to write.
        structures: of the edition.
        pattern: of the names inside, with "{case}" in it, ending in .nii.gz.

    Returns:
        Warnings about implausible volumes.

    Raises:
        InputError: a bad pattern; a label map that is unreadable, not of an integer type, on another grid than its
            image, or holds other values; the archive cannot be written.
    """
    if "{case}" not in pattern or not pattern.endswith(".nii.gz") or "/" in pattern:
        raise InputError(f"pattern {pattern!r}, expected a file name with {{case}} in it that ends in .nii.gz")
    warnings = []
    try:
        with (
            TemporaryDirectory() as folder,
            written_atomically(archive) as temporary,
            zipfile.ZipFile(temporary, "w") as file,
        ):
            for case, (path, original) in files.items():
                label_map = _checked(path, original, structures)
                warnings += _warnings(label_map, structures)
                name = pattern.replace("{case}", case)
                write_image(label_image(label_map.labels, label_map.grid), Path(folder) / name)
                file.write(Path(folder) / name, name)
    except OSError as error:
        raise InputError(f"{archive}: cannot be written ({error.strerror}), expected a writable place") from None
    return warnings


def _checked(path: Path, original: Path, structures: Structures) -> LabelMap:
    label_map = read_label_map(path, structures.values)
    if label_map.image.GetPixelID() in (SimpleITK.sitkFloat32, SimpleITK.sitkFloat64):
        raise InputError(f"{path}: found a floating-point image, expected an integer type")
    require_same_grid(label_map.grid, SamplingGrid.of(read_image(original)), path, original)
    return label_map


def _warnings(label_map: LabelMap, structures: Structures) -> Iterator[str]:
    voxel = float(np.prod(label_map.spacing))
    for structure, values, (low, high) in (
        ("tumour", tuple(structures.tumour.values()), PLAUSIBLE_TUMOUR),
        ("cochleae", (structures.cochlea,), PLAUSIBLE_COCHLEAE),
    ):
        volume = float(np.isin(label_map.labels, values).sum() * voxel)
        if not low <= volume <= high:
            yield f"{label_map.path}: {structure} of {volume:.0f} mm3, usual are {low:g} to {high:g}"
