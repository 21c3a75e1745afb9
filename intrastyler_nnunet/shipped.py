"""Where the generator and the trainers that come with the package are."""

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
    package = Path(__file__).parent
    for folder in (package / "pretrained", package.parent / "pretrained"):
        path = folder / f"{NAME}.safetensors"
        if path.is_file():
            return path
    raise InputError(f"{NAME}.safetensors: no such file in {package / 'pretrained'}")
