"""The heads the simulation starts from: tissue classes of real heads around the skull base, in MNI space."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.simulation.tissues import Tissue

DATA_FOLDER = Path(__file__).parent / "data"
MIRRORED = "_mirrored"
HEADS = ("colin27", f"colin27{MIRRORED}", "mni2009c")
UNEVENNESS = 0.3  # relative deviation of the signal that a texture of 1 stands for, outside brain and CSF


@dataclass(frozen=True)
class Head:
    """A head slab, axes (x, y, z) = (right, anterior, superior), 1 mm voxels."""

    tissue: np.ndarray  # uint8, `Tissue` class
    texture: np.ndarray  # float32, -1..1: see make_head_slab.segment
    start: np.ndarray  # (3,) MNI mm of the first voxel


@lru_cache(maxsize=3)
def load_head(name: str) -> Head:
    """Load a head slab by name, one of `HEADS`. Raises `InputError` for another name.

    A mirrored one has left and right exchanged, which in a real head are not alike.
    """
    if name not in HEADS:
        raise InputError(f"head {name!r}: expected one of {', '.join(HEADS)}")
    if name.endswith(MIRRORED):
        head = load_head(name.removesuffix(MIRRORED))
        last = head.start[0] + len(head.tissue) - 1
        return Head(head.tissue[::-1].copy(), head.texture[::-1].copy(), head.start * (0, 1, 1) + (-last, 0, 0))
    image = sitk.ReadImage(str(DATA_FOLDER / f"{name}_tissue.nii.gz"))
    tissue = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    levels = sitk.GetArrayFromImage(sitk.ReadImage(str(DATA_FOLDER / f"{name}_texture.nii.gz")))
    texture = levels.transpose(2, 1, 0).astype(np.float32) / levels.max() * 2 - 1
    left, posterior, superior = image.GetOrigin()
    return Head(np.ascontiguousarray(tissue), texture, np.array([-left, -posterior, superior]))


def nearest(volume: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """Values of `volume` at the voxels nearest to `coordinates` (3, n); the border is repeated."""
    index = np.rint(coordinates).astype(np.int32)
    return volume[tuple(np.clip(i, 0, n - 1) for i, n in zip(index, volume.shape, strict=True))]


def head_signal(head: Head, coordinates: np.ndarray, signals: np.ndarray) -> np.ndarray:
    """Signal (n,) of the head at `coordinates` (3, n) in its slab, for a signal per `Tissue`.

    Linear interpolation, so partial volumes at boundaries are what a scanner would measure. No signal comes from
    outside the slab.
    """
    start = np.maximum(np.floor(coordinates.min(1)).astype(int) - 1, 0)
    stop = np.ceil(coordinates.max(1)).astype(int) + 2
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    tissue, texture = head.tissue[box], head.texture[box]
    towards_darker, towards_brighter = texture_slopes(signals)
    slopes = np.where(texture < 0, towards_darker[tissue], towards_brighter[tissue])
    volume = signals.astype(np.float32)[tissue] + texture * slopes
    return map_coordinates(volume, coordinates - start[:, None], order=1, mode="constant", output=np.float32)


def texture_slopes(signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of a tissue's signal per unit of texture, where that is negative and where it is positive.

    Texture is partial volume among CSF, grey and white matter (in this order bright on the T1-weighted template), and
    unevenness of everything else that has a signal.
    """
    darker, brighter = np.zeros((2, len(Tissue)), dtype=np.float32)
    csf, grey, white = signals[[Tissue.CSF, Tissue.GREY_MATTER, Tissue.WHITE_MATTER]]
    brighter[Tissue.CSF] = grey - csf
    darker[Tissue.GREY_MATTER], brighter[Tissue.GREY_MATTER] = grey - csf, white - grey
    darker[Tissue.WHITE_MATTER] = white - grey
    for tissue in (Tissue.MARROW, Tissue.FAT, Tissue.MUSCLE, Tissue.MUCOSA):
        darker[tissue] = brighter[tissue] = UNEVENNESS * signals[tissue]
    return darker, brighter
