"""The heads the simulation starts from: tissue classes of real heads around the skull base, in MNI space."""
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from intrastyler_nnunet.errors import InputError

DATA_FOLDER = Path(__file__).parent / "data"
HEADS = ("colin27", "mni2009c")


@dataclass(frozen=True)
class Head:
    """A head slab, axes (x, y, z) = (right, anterior, superior), 1 mm voxels."""

    tissue: np.ndarray  # uint8, `Tissue` class
    texture: np.ndarray  # float32, -1..1: see make_head_slab.segment
    start: np.ndarray  # (3,) MNI mm of the first voxel


@lru_cache(maxsize=2)
def load_head(name: str) -> Head:
    """Load a head slab by name, one of `HEADS`. Raises `InputError` for another name."""
    if name not in HEADS:
        raise InputError(f"head {name!r}: expected one of {', '.join(HEADS)}")
    image = sitk.ReadImage(str(DATA_FOLDER / f"{name}_tissue.nii.gz"))
    tissue = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    levels = sitk.GetArrayFromImage(sitk.ReadImage(str(DATA_FOLDER / f"{name}_texture.nii.gz"))).transpose(2, 1, 0)
    left, posterior, superior = image.GetOrigin()
    texture = levels.astype(np.float32) / levels.max() * 2 - 1
    return Head(np.ascontiguousarray(tissue), texture, np.array([-left, -posterior, superior]))
