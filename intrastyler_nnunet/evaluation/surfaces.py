"""Surfaces of label maps as points in mm, and distances between two such point sets.

All masks are (I, J, K) booleans; `spacing` is (3,) in mm, in the masks' axis order. Points are (N, 3) in mm
along the grid's axes. Image directions are orthonormal: distances on the grid are distances in the patient.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

ASSD_DEFINITIONS = ("pooled", "directed")
ROUNDING = 1e-9  # mm


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


def nearest_distances(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance in mm of each point of a set to the nearest of the other, (N,) and (M,), of (N, 3) and (M, 3) points."""
    return cKDTree(second).query(first)[0], cKDTree(first).query(second)[0]


def mean_distance(first: np.ndarray, second: np.ndarray, definition: str = "pooled") -> float:
    """Average symmetric distance in mm of two point sets, from the `nearest_distances` of each, (N,) and (M,).

    `definition` says how the distances are averaged:

    - "pooled": one mean over all N + M (Heimann et al., IEEE TMI 2009; medpy 0.5.2; MONAI);
    - "directed": the mean of the two directed means (medpy up to 0.4).
    """
    if definition not in ASSD_DEFINITIONS:
        raise ValueError(f"ASSD definition {definition!r}, expected one of {', '.join(ASSD_DEFINITIONS)}")
    if definition == "directed":
        return float((first.mean() + second.mean()) / 2)
    return float(np.concatenate([first, second]).mean())


def hausdorff_95(first: np.ndarray, second: np.ndarray) -> float:
    """The larger 95th percentile in mm of the two directed distances, (N,) and (M,), interpolated linearly (MONAI)."""
    return float(max(np.percentile(first, 95), np.percentile(second, 95)))


def share_within(first: np.ndarray, second: np.ndarray, tolerance: float) -> float:
    """Normalised surface Dice: the share of all N + M surface points no farther than `tolerance` mm from the other.

    Nikolov et al., J Med Internet Res 2021, with points in place of surface elements, as in MONAI.
    """
    return float(np.mean(np.concatenate([first, second]) <= tolerance + ROUNDING))
