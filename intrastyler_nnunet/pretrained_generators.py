"""Where the generators that come with the package are."""
from pathlib import Path

from intrastyler_nnunet.errors import InputError


def shipped_generator(name: str) -> Path:
    """Path of `pretrained/<name>.safetensors`, in an installed package or in a source checkout."""
    package = Path(__file__).parent
    for folder in (package / "pretrained", package.parent / "pretrained"):
        path = folder / f"{name}.safetensors"
        if path.is_file():
            return path
    raise InputError(f"{name}: no such shipped generator in {package / 'pretrained'}")
