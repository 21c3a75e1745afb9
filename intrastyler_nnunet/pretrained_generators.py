"""Where the generator that comes with the package is."""
from pathlib import Path

from intrastyler_nnunet.errors import InputError

NAME = "simcrossmoda"


def shipped_generator() -> Path:
    """Path of the generator of simulated images, in an installed package or in a source checkout."""
    package = Path(__file__).parent
    for folder in (package / "pretrained", package.parent / "pretrained"):
        path = folder / f"{NAME}.safetensors"
        if path.is_file():
            return path
    raise InputError(f"{NAME}.safetensors: no such file in {package / 'pretrained'}")
