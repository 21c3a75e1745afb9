"""Surfaces of label maps as points in mm, and the mean distance between two such point sets.

All masks are (I, J, K) booleans; `spacing` is (3,) in mm, in the masks' axis order. Points are (N, 3) in mm
along the grid's axes. Image directions are orthonormal: distances on the grid are distances in the patient.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

ASSD_DEFINITIONS = ("pooled", "directed")


def surface_points(mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Centres of the voxels of `mask` with a face on a voxel outside it or on the image border: (N, 3) mm.

    This is the surface medpy uses with its default connectivity.
    """
    return np.argwhere(mask & ~binary_erosion(mask)) * np.asarray(spacing, float)


def interface_points(first: np.ndarray, second: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Centres of the voxel faces with `first` on one side and `second` on the other: (N, 3) mm."""
    points = [np.empty((0, first.ndim))]
    for axis in range(first.ndim):
        lower = (slice(None),) * axis + (slice(None, -1),)
        upper = (slice(None),) * axis + (slice(1, None),)
        faces = (first[lower] & second[upper]) | (second[lower] & first[upper])
        points.append(np.argwhere(faces) + 0.5 * np.eye(first.ndim)[axis])
    return np.concatenate(points) * np.asarray(spacing, float)


def mean_distance(first: np.ndarray, second: np.ndarray, definition: str = "pooled") -> float:
    """Average symmetric distance in mm between two point sets, (N, 3) and (M, 3), neither empty.

    Each point looks for the nearest point of the other set. `definition` says how the distances are averaged:

    - "pooled": one mean over all N + M (Heimann et al., IEEE TMI 2009; medpy 0.5.2; MONAI);
    - "directed": the mean of the two directed means (medpy up to 0.4).
    """
    if definition not in ASSD_DEFINITIONS:
        raise ValueError(f"ASSD definition {definition!r}, expected one of {', '.join(ASSD_DEFINITIONS)}")
    first_to_second, _ = cKDTree(second).query(first)
    second_to_first, _ = cKDTree(first).query(second)
    if definition == "directed":
        return float((first_to_second.mean() + second_to_first.mean()) / 2)
    return float(np.concatenate([first_to_second, second_to_first]).mean())
