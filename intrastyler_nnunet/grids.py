"""Sampling grids in the patient, and images moved between them.

Cropping, resampling and putting back are one operation: from one grid onto another. A case's record is its two grids.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import SimpleITK
from annotated_types import Ge, Le, Len

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.typed_json import Check, GridSize, Spacing

GRID_TOLERANCE = 1e-3  # mm for spacing and origin, absolute for direction cosines; NIfTI stores 32-bit floats

Vector = tuple[float, float, float]


def _axes(direction: tuple[float, ...]) -> tuple[float, ...]:
    if not 0.5 < abs(np.linalg.det(np.reshape(direction, (3, 3)))) < 2:
        raise InputError("expected direction cosines of three axes")
    return direction


Cosine = Annotated[float, Ge(-1.001), Le(1.001)]
Place = Annotated[float, Ge(-1e6), Le(1e6)]  # mm


@dataclass(frozen=True)
class SamplingGrid:
    """Voxel centres in the patient, in SimpleITK's (x, y, z) order; mm, and direction cosines row by row."""

    size: GridSize
    spacing: tuple[Spacing, Spacing, Spacing]
    origin: tuple[Place, Place, Place]
    direction: Annotated[tuple[Cosine, ...], Len(9, 9), Check(_axes)]

    @classmethod
    def of(cls, image: SimpleITK.Image) -> "SamplingGrid":
        """The grid of an image."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    def empty(self, pixel_type: int = SimpleITK.sitkUInt8) -> SimpleITK.Image:
        """An image of zeros on this grid."""
        image = SimpleITK.Image(list(self.size), pixel_type)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    def part(self, start: Vector, size: tuple[int, int, int], spacing: Vector) -> "SamplingGrid":
        """A grid with the same axes whose first voxel is centred at the (fractional) index `start` of this one."""
        axes = np.reshape(self.direction, (3, 3))
        origin = np.asarray(self.origin) + axes @ (np.asarray(start) * self.spacing)
        return SamplingGrid(size, spacing, tuple(origin.tolist()), self.direction)


def require_same_grid(found: SamplingGrid, expected: SamplingGrid, path: Path, other: Path) -> None:
    """Raise InputError, naming both files and the first difference, unless `path` lies on the grid of `other`."""
    for quantity, values, wanted in (
        (name, getattr(found, name), getattr(expected, name)) for name in ("size", "spacing", "origin", "direction")
    ):
        if len(values) != len(wanted) or not np.allclose(values, wanted, rtol=0, atol=GRID_TOLERANCE):
            shown, right = (tuple(np.round(numbers, 4).tolist()) for numbers in (values, wanted))
            raise InputError(f"{path}: found {quantity} {shown}, expected {right}, that of {other}")


def to_lps(image: SimpleITK.Image) -> SimpleITK.Image:
    """Reorder and flip axes so that they run as nearly left, posterior, superior as they can; no interpolation."""
    return SimpleITK.DICOMOrient(image, "LPS")


def image_onto(image: SimpleITK.Image, grid: SamplingGrid) -> SimpleITK.Image:
    """Linear interpolation, float32; outside the image its smallest value."""
    minimum = float(SimpleITK.GetArrayViewFromImage(image).min())
    identity = SimpleITK.Transform()
    return SimpleITK.Resample(image, grid.empty(), identity, SimpleITK.sitkLinear, minimum, SimpleITK.sitkFloat32)


def labels_onto(labels: SimpleITK.Image, grid: SamplingGrid) -> SimpleITK.Image:
    """The likeliest label at each voxel: linear interpolation of each label's mask; 0 outside the image.

    Nearest neighbours would roughen thin structures at every change of grid. The type is `label_type`'s.
    """
    array = SimpleITK.GetArrayViewFromImage(labels)
    result = np.zeros(grid.size[::-1], label_type(array))
    values = [int(value) for value in np.unique(array) if value]
    shares = {
        value: SimpleITK.GetArrayFromImage(
            SimpleITK.Resample(
                SimpleITK.Cast(labels == value, SimpleITK.sitkFloat32), grid.empty(), SimpleITK.Transform(),
                SimpleITK.sitkLinear, 0.0, SimpleITK.sitkFloat32,
            )
        )
        for value in values
    }  # fmt: skip
    foreground = sum(shares.values(), np.zeros(grid.size[::-1], np.float32)) >= 0.5
    strongest = np.zeros(grid.size[::-1], np.float32)
    for value, share in shares.items():
        wins = foreground & (share > strongest)
        result[wins], strongest[wins] = value, share[wins]
    return label_image(result, grid)


def label_type(labels: np.ndarray) -> np.dtype:
    """The type to store label values in: uint8 if they fit, else the smallest that holds them."""
    extremes = (np.min_scalar_type(int(value)) for value in (labels.min(), labels.max()))
    return np.result_type(np.uint8, *extremes)


def label_image(labels: np.ndarray, grid: SamplingGrid) -> SimpleITK.Image:
    """Labels (Z, Y, X) as an image on a grid, of the type that `label_type` gives."""
    image = SimpleITK.GetImageFromArray(labels.astype(label_type(labels)))
    image.CopyInformation(grid.empty())
    return image
