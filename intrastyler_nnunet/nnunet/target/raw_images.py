"""Finding and checking unlabelled target images before anything is written."""

import re
from pathlib import Path

import numpy as np
from nnunetv2.imageio.base_reader_writer import BaseReaderWriter

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import IMAGE_ENDINGS, read_image, require_file


def find_target_images(folder: Path, file_ending: str) -> dict[str, Path]:
    """The images `<case>_0000<file_ending>` in `folder`, by case name.

    Raises:
        InputError: there is none, or a file of that ending is named otherwise, holds another channel or is no file.
    """
    files = sorted(path for path in folder.glob(f"*{file_ending}") if not path.name.startswith("."))
    expected = f"expected unlabelled target images named case_0000{file_ending}"
    if not files:
        found = "no such folder" if not folder.is_dir() else f"no {file_ending} files"
        raise InputError(f"{folder}: {found}; {expected}")
    images = {}
    for path in files:
        name = re.fullmatch(r"(.+)_(\d{4})", path.name.removesuffix(file_ending))
        if name is None:
            raise InputError(f"{path}: not named as nnU-Net names images; {expected}")
        if name[2] != "0000":
            raise InputError(f"{path}: channel {int(name[2])} of case {name[1]}; expected one channel, 0000")
        require_file(path)
        images[name[1]] = path
    return images


def check_target_image(path: Path, reader: BaseReaderWriter) -> str | None:
    """Why the image at `path` cannot be used, in one line; None if it can.

    Args:
        path: an image file.
        reader: of the class the plans name.
    """
    try:
        if path.name.endswith(IMAGE_ENDINGS):
            read_image(path)  # for the checks that nnU-Net's readers leave out
        image, _ = reader.read_images([str(path)])
    except InputError as error:
        return str(error)
    except Exception as error:  # nnU-Net's readers raise whatever they like
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        return f"{path}: cannot be read ({reason}); expected an image file"
    if image.ndim != 4 or image.shape[0] != 1:
        return f"{path}: an array of shape {image.shape}; expected one channel in three dimensions"
    if not np.isfinite(image).all():
        return f"{path}: found NaN or infinite voxels, expected finite ones"
    if image.min() == image.max():
        return f"{path}: every voxel is {image.min():g}; expected an image"
    return None
