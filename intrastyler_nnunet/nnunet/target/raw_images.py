"""Finding and checking unlabelled target images before anything is written."""

import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import IMAGE_ENDINGS, checked_file, is_bids_name, require_contrast, require_file
from intrastyler_nnunet.model.config import PRESETS

# Voxels along each axis that the least demanding preset needs.
SMALLEST_CASE = min(max(config.smallest_image) for config, _ in PRESETS.values())


def find_target_images(folder: Path, file_ending: str) -> dict[str, Path]:
    """The images `<case>_0000<file_ending>` in `folder`, or with names of BIDS (sub-01_ses-02_T2w), by case name.

    Raises:
        InputError: there is none, or something of that ending is no file, is named otherwise or holds another channel,
            or two are of one case; names that begin with a dot are passed over.
    """
    files = sorted(path for path in folder.glob(f"*{file_ending}") if not path.name.startswith("."))
    expected = f"expected unlabelled target images named case_0000{file_ending}"
    if not files:
        found = "no such folder" if not folder.is_dir() else f"no {file_ending} files"
        raise InputError(f"{folder}: {found}; {expected}")
    images: dict[str, Path] = {}
    for path in files:
        stem = path.name.removesuffix(file_ending)
        name = re.fullmatch(r"(.+)_(\d{4})", stem)
        if name is None and not is_bids_name(stem):
            raise InputError(f"{path}: not named as nnU-Net or BIDS name images; {expected}")
        if name is not None and name[2] != "0000":
            raise InputError(f"{path}: channel {int(name[2])} of case {name[1]}; expected one channel, 0000")
        require_file(path)
        case = stem if name is None else name[1]
        if case in images:
            raise InputError(f"{folder}: found {images[case].name} and {path.name}, expected one of them")
        images[case] = path
    return images


def check_target_image(path: Path, plans: PlansManager, configurations: Sequence[ConfigurationManager]) -> str | None:
    """Why the image at `path` cannot be used, in one line; None if it can.

    Args:
        path: an image file.
        plans: whose reader and axis order count.
        configurations: those that it is preprocessed for; in each it must be large enough for a generator.
    """
    try:
        _require_usable(path, plans, configurations)
    except InputError as error:
        return str(error)
    return None


def _require_usable(path: Path, plans: PlansManager, configurations: Sequence[ConfigurationManager]) -> None:
    # The checks that nnU-Net's readers leave out, and the file that they passed for the plans' reader.
    with checked_file(path) if path.name.endswith(IMAGE_ENDINGS) else nullcontext(path) as file:
        try:
            image, properties = plans.image_reader_writer_class().read_images([str(file)])
        except Exception as error:  # nnU-Net's readers raise whatever they like
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1].replace(str(file), path.name)
            raise InputError(f"{path}: cannot be read ({reason}); expected an image file") from None
    if image.ndim != 4 or image.shape[0] != 1:
        raise InputError(f"{path}: an array of shape {image.shape}; expected one channel in three dimensions")
    part = _nonzero_part(image[0])
    require_contrast(part, path)
    order, shape = plans.transpose_forward, _times(part.shape)
    if min(part.shape) < 2:
        raise InputError(f"{path}: {shape} voxels; expected a volume, not a single slice")
    for configuration in configurations:
        if len(configuration.spacing) != 3:
            continue
        spacing, extents = ([values[axis] for axis in order] for values in (properties["spacing"], part.shape))
        resampled = compute_new_shape(extents, spacing, configuration.spacing)
        if min(resampled) < SMALLEST_CASE:
            found = f"{shape} voxels, resampled by the plans to {_times(resampled)}"
            raise InputError(f"{path}: {found}; expected at least {SMALLEST_CASE} along each axis")


def _nonzero_part(volume: np.ndarray) -> np.ndarray:
    """What nnU-Net's preprocessing keeps of a volume: the box around its voxels that are not zero."""
    box = []
    for axis in range(volume.ndim):
        others = tuple(other for other in range(volume.ndim) if other != axis)
        filled = np.flatnonzero(volume.any(axis=others))
        box.append(slice(filled[0], filled[-1] + 1) if len(filled) else slice(None))
    return volume[tuple(box)]


def _times(numbers: Sequence[int]) -> str:
    return " x ".join(str(int(number)) for number in numbers)
