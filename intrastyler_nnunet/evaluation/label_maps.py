"""Label maps from files, and the check that two of them lie on one grid."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import read_image

GRID_TOLERANCE = 1e-3  # mm for spacing and origin, absolute for direction cosines; NIfTI stores 32-bit floats


@dataclass(frozen=True)
class LabelMap:
    """A label map and its grid in the patient."""

    path: Path
    labels: np.ndarray  # (Z, Y, X) integers
    spacing: tuple[float, float, float]  # mm, in array axis order (z, y, x)
    origin: tuple[float, float, float]  # mm, SimpleITK's (x, y, z)
    direction: tuple[float, ...]  # 9 direction cosines, SimpleITK's order


def read_label_map(path: Path, allowed: Collection[int]) -> LabelMap:
    """Read a label map.

    Raises InputError if it is unreadable, not 3D of one channel, or holds values outside `allowed`.
    """
    image = read_image(path)
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        found = f"{image.GetDimension()} dimensions and {image.GetNumberOfComponentsPerPixel()} channels"
        raise InputError(f"{path}: found {found}, expected a 3D label map of one channel")
    labels = _whole_numbers(SimpleITK.GetArrayFromImage(image), path)
    unexpected = sorted(set(np.unique(labels).tolist()) - set(allowed))
    if unexpected:
        found = ", ".join(str(value) for value in unexpected[:5])
        expected = ", ".join(str(value) for value in sorted(allowed))
        raise InputError(f"{path}: found label values {found}, expected only {expected}")
    return LabelMap(path, labels, image.GetSpacing()[::-1], image.GetOrigin(), image.GetDirection())


def require_same_grid(prediction: LabelMap, reference: LabelMap) -> None:
    """Raise InputError, naming the first difference, unless both label maps lie on the same grid."""
    if prediction.labels.shape != reference.labels.shape:
        _differ("shape", prediction, prediction.labels.shape, reference.labels.shape)
    for quantity in ("spacing", "origin", "direction"):
        found, expected = getattr(prediction, quantity), getattr(reference, quantity)
        if not np.allclose(found, expected, rtol=0, atol=GRID_TOLERANCE):
            _differ(quantity, prediction, np.round(found, 4).tolist(), np.round(expected, 4).tolist())


def require_on_grid_of(label_map: LabelMap, image_path: Path) -> None:
    """Raise InputError unless the label map lies on the grid of an image file, or if that is unreadable."""
    image = read_image(image_path)
    array = SimpleITK.GetArrayViewFromImage(image)
    require_same_grid(
        label_map, LabelMap(image_path, array, image.GetSpacing()[::-1], image.GetOrigin(), image.GetDirection())
    )


def _differ(quantity: str, prediction: LabelMap, found: object, expected: object) -> None:
    raise InputError(f"{prediction.path}: found {quantity} {found}, expected the reference's {expected}")


def _whole_numbers(values: np.ndarray, path: Path) -> np.ndarray:
    if np.issubdtype(values.dtype, np.integer):
        return values
    fractional = values[~(np.isfinite(values) & (values == np.rint(values)))]
    if fractional.size:
        raise InputError(f"{path}: found the value {fractional[0]:g}, expected whole numbers")
    return values.astype(np.int64)
