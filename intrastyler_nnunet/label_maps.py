"""Label maps from files, each read once: the image, its integers, and the grid that others are compared with."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.grids import SamplingGrid
from intrastyler_nnunet.images import read_image, require_one_channel_3d

LARGEST_LABEL = np.iinfo(np.int16).max  # nnU-Net holds labels in 16 bits


@dataclass(frozen=True)
class LabelMap:
    """A label map and its grid in the patient."""

    path: Path
    image: SimpleITK.Image  # as stored, whole numbers of any type
    labels: np.ndarray  # (Z, Y, X) integers

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm, in array axis order (z, y, x)."""
        return self.image.GetSpacing()[::-1]

    @property
    def grid(self) -> SamplingGrid:
        """Where the voxels lie."""
        return SamplingGrid.of(self.image)


def read_label_map(path: Path, allowed: Collection[int] | None = None) -> LabelMap:
    """Read a label map.

    Raises InputError if it is unreadable, not 3D of one channel, or holds fractions, values of more than 16 bits or
    values outside `allowed` (None: any).
    """
    image = read_image(path)
    require_one_channel_3d(image, path)
    labels = _whole_numbers(SimpleITK.GetArrayFromImage(image), path)
    known = np.unique(labels).tolist() if allowed is None else sorted(allowed)
    unexpected = sorted(set(np.unique(labels).tolist()) - set(known))
    if unexpected:
        found = ", ".join(str(value) for value in unexpected[:5])
        expected = ", ".join(str(value) for value in known)
        raise InputError(f"{path}: found label values {found}, expected only {expected}")
    return LabelMap(path, image, labels)


def _whole_numbers(values: np.ndarray, path: Path) -> np.ndarray:
    whole = values if np.issubdtype(values.dtype, np.integer) else np.rint(values)
    other = values[~((values == whole) & (values <= LARGEST_LABEL) & (values >= -LARGEST_LABEL))]
    if other.size:
        raise InputError(f"{path}: found the value {other[0]:g}, expected whole numbers up to {LARGEST_LABEL}")
    return values if values is whole else values.astype(np.int64)
