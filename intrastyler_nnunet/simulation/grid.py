"""The voxel grid an image is made on, and smooth random fields over the patient."""

from dataclasses import dataclass

import numpy as np

FIELD_HALF_WIDTH = np.array([112.0, 112.0, 64.0])  # mm: smooth fields reach this far around the centre
SPLINE_MEAN_SQUARE = 0.479583  # along one axis: the mean over places of the sum of squared spline weights


@dataclass(frozen=True)
class Grid:
    """A voxel grid, axes (x, y, z) = (left, posterior, superior), around a point of the patient."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]  # mm
    centre: tuple[float, float, float] = (0.0, -33.0, -37.0)  # mm, MNI (right, anterior, superior)

    def axes(self) -> list[np.ndarray]:
        """MNI coordinate (mm) of the voxel centres along x, y and z; x and y decrease: the grid is LPS."""
        steps = (-self.spacing[0], -self.spacing[1], self.spacing[2])
        return [
            centre + step * (np.arange(n) - (n - 1) / 2)
            for centre, step, n in zip(self.centre, steps, self.shape, strict=True)
        ]

    def refined(self, largest_voxel: float) -> tuple["Grid", tuple[int, int, int]]:
        """This field of view in voxels of at most `largest_voxel` mm, and how many times finer."""
        factors = tuple(int(np.ceil(s / largest_voxel - 1e-6)) for s in self.spacing)
        shape = tuple(n * f for n, f in zip(self.shape, factors, strict=True))
        spacing = tuple(s / f for s, f in zip(self.spacing, factors, strict=True))
        return Grid(shape, spacing, self.centre), factors


def cubic_spline_weights(positions: np.ndarray, count: int) -> np.ndarray:
    """Uniform cubic B-spline weights (len(positions), count) at `positions` in units of the knot distance."""
    distance = np.abs(positions[:, None] - np.arange(count)[None])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def smooth_field(grid: Grid, knot_distance: float, seed: tuple[int, ...]) -> np.ndarray:
    """A smooth random field (x, y, z), float32, zero mean, unit variance, tied to the patient, not to the grid.

    Cubic B-spline with normal coefficients at knots `knot_distance` mm apart; two grids see the same field.
    """
    counts = np.ceil(2 * FIELD_HALF_WIDTH / knot_distance).astype(int) + 4
    field = np.random.default_rng(seed).standard_normal(tuple(counts)).astype(np.float32)
    for axis, (coordinates, centre, count) in enumerate(zip(grid.axes(), grid.centre, counts, strict=True)):
        weights = cubic_spline_weights((coordinates - centre) / knot_distance + (count - 1) / 2, count)
        field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
    return field / SPLINE_MEAN_SQUARE**1.5


def block_mean(volume: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Mean over blocks of `factors` voxels."""
    shape = [m for n, f in zip(volume.shape, factors, strict=True) for m in (n // f, f)]
    return volume.reshape(shape).mean(axis=(1, 3, 5), dtype=np.float32)
