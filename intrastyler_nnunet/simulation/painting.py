"""Layers of tissue painted over the head: how far a structure covers which voxels."""

from dataclasses import dataclass

import numpy as np

from intrastyler_nnunet.simulation.chains import Chain
from intrastyler_nnunet.simulation.grid import Grid, block_mean
from intrastyler_nnunet.simulation.tissues import Tissue


@dataclass(frozen=True)
class Layer:
    """A structure of one tissue on a grid."""

    tissue: Tissue
    index: np.ndarray  # (n,) flat indices of the voxels it touches
    coverage: np.ndarray  # (n,) 0..1: the share of the voxel that is its tissue


def chain_layer(chain: Chain, points: np.ndarray, width: float) -> Layer:
    """A chain of balls among `points` (3, n), mm, its surface `width` mm soft."""
    return Layer(chain.tissue, *chain.coverage(points, width))


def marrow_layer(points: np.ndarray, bone: np.ndarray, field: np.ndarray, pneumatisation: float) -> Layer:
    """Marrow among the air cells and dense bone of the skull base.

    `bone` (n,) says which of the `points` (3, n), MNI mm, are bone or air; `field` (n,) is a smooth field of unit
    variance; the more pneumatised (0..1), the less marrow.
    """
    index = np.flatnonzero(bone)
    lateral, _, height = np.abs(points[:, index])
    skull_base = np.clip((lateral - 8) / 6, 0, 1) * np.clip((72 - lateral) / 6, 0, 1) * (height > 18)
    coverage = np.clip((field[index] - 2 * pneumatisation + 0.6) * 0.8, 0, 0.9) * skull_base
    kept = coverage > 0.02
    return Layer(Tissue.MARROW, index[kept], coverage[kept].astype(np.float32))


def paint_classes(tissue: np.ndarray, layers: tuple[Layer, ...]) -> None:
    """Set the class of the voxels of `tissue` (n,) that a layer covers by half or more, in place."""
    for layer in layers:
        tissue[layer.index[layer.coverage >= 0.5]] = layer.tissue


def paint_signals(volume: np.ndarray, layers: tuple[Layer, ...], signals: np.ndarray) -> None:
    """Mix the signals of the layers' tissues into `volume` (n,) by coverage, in place."""
    for layer in layers:
        volume[layer.index] += layer.coverage * (np.float32(signals[layer.tissue]) - volume[layer.index])


def share(index: np.ndarray, coverage: np.ndarray, fine: Grid, factors: tuple[int, int, int]) -> np.ndarray:
    """Share (x, y, z) of every image voxel that is covered; an image voxel is `factors` fine voxels."""
    volume = np.zeros(fine.shape, dtype=np.float32)
    volume.ravel()[index] = coverage
    return block_mean(volume, factors)
