"""Where the networks and the trainers that come with the package are."""

from pathlib import Path

import intrastyler_nnunet
from intrastyler_nnunet.errors import InputError


def trainers_folder() -> Path:
    """trainers/ inside the installed package, or beside it in a source checkout."""
    package = Path(intrastyler_nnunet.__file__).resolve().parent
    installed = package / "trainers"
    return installed if installed.is_dir() else package.parent / "trainers"


NAME = "simcrossmoda"


def shipped_generator() -> Path:
    """Path of the generator of simulated images, in an installed package or in a source checkout."""
    path = _shipped(f"{NAME}.safetensors")
    if path is None:
        raise InputError(f"{NAME}.safetensors: no such file in {Path(__file__).parent / 'pretrained'}")
    return path


def shipped_segmenter() -> Path | None:
    """Path of a segmenter that was trained on that generator's translations; None if there is none yet."""
    return _shipped(f"{NAME}_segmenter.safetensors")


def _shipped(name: str) -> Path | None:
    package = Path(__file__).parent
    paths = (folder / name for folder in (package / "pretrained", package.parent / "pretrained"))
    return next(filter(Path.is_file, paths), None)
