"""Layers of tissue painted over the head: how far a structure covers which voxels."""

from dataclasses import dataclass

import numpy as np

from intrastyler_nnunet.simulation.chains import Chain, Places
from intrastyler_nnunet.simulation.grid import Grid, block_mean
from intrastyler_nnunet.simulation.tissues import Tissue


@dataclass(frozen=True)
class Layer:
    """A structure of one tissue on a grid."""

    tissue: Tissue
    index: np.ndarray  # (n,) flat indices of the voxels it touches
    coverage: np.ndarray  # (n,) 0..1: the share of the voxel that is its tissue


def chain_layer(chain: Chain, places: Places, width: float) -> Layer:
    """A chain of balls among `places`, its surface `width` mm soft."""
    return Layer(chain.tissue, *chain.coverage(places, width))


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
