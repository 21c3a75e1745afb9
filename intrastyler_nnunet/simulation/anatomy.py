"""From a subject to its anatomy on a grid: warped head, inner ear and tumour, ready to be given signals."""
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from intrastyler_nnunet.simulation.grid import Grid, block_mean, smooth_field
from intrastyler_nnunet.simulation.head import load_head
from intrastyler_nnunet.simulation.structures import Chain, bilateral_structures, cochlea
from intrastyler_nnunet.simulation.subject import Subject
from intrastyler_nnunet.simulation.tissues import Tissue
from intrastyler_nnunet.simulation.tumour import grow_tumour

LARGEST_VOXEL = 0.8  # mm: anatomy is drawn on a grid at least this fine, then averaged
EXTRA_MEATAL, INTRA_MEATAL, COCHLEA = 1, 2, 3
# Salt of each smooth field, so that they are independent of each other.
WARP, MARROW, TUMOUR_SURFACE, TUMOUR_CYSTS = range(4)


@dataclass(frozen=True)
class Layer:
    """A structure painted over the head: voxels of the fine grid (flat indices) and how far it covers them."""

    tissue: Tissue
    index: np.ndarray  # (n,) int
    coverage: np.ndarray  # (n,) 0..1


@dataclass(frozen=True)
class Anatomy:
    """The anatomy of a subject on a fine grid; independent of any scanner."""

    subject: Subject
    grid: Grid  # of the images
    fine: Grid
    factors: tuple[int, int, int]  # fine voxels per image voxel
    slab_coordinates: np.ndarray  # (3, n) voxel coordinates in the head slab of every fine voxel
    layers: tuple[Layer, ...]  # in painting order
    tissue: np.ndarray  # (x, y, z) uint8: `Tissue` of every image voxel
    labels: np.ndarray  # (x, y, z) uint8: 0 background, 1 extra-meatal, 2 intra-meatal, 3 cochlea


def head_coordinates(subject: Subject, fine: Grid) -> np.ndarray:
    """MNI coordinates (n, 3), in mm, of the place of the head that lies at every voxel of the grid."""
    centre = np.array(fine.centre)
    points = np.stack(np.meshgrid(*fine.axes(), indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)
    rotation = Rotation.from_euler("xyz", subject.rotation, degrees=True).as_matrix()
    matrix = (rotation / np.array(subject.scale)[:, None]).astype(np.float32)
    points = (points - centre - subject.translation) @ matrix.T + centre
    for axis in range(3):
        points[:, axis] += subject.warp * smooth_field(fine, 24.0, (subject.seed, WARP, axis)).ravel()
    return points.astype(np.float32)


def marrow_layer(subject: Subject, points: np.ndarray, tissue: np.ndarray, fine: Grid) -> Layer:
    """Marrow among the air cells and dense bone of the skull base."""
    field = smooth_field(fine, 4.0, (subject.seed, MARROW)).ravel()
    bone = np.flatnonzero(tissue == Tissue.BONE_OR_AIR)
    lateral, _, height = np.abs(points[bone]).T
    skull_base = np.clip((lateral - 8) / 6, 0, 1) * np.clip((72 - lateral) / 6, 0, 1) * (height > 18)
    coverage = np.clip((field[bone] - 2 * subject.pneumatisation + 0.6) * 0.8, 0, 0.9) * skull_base
    kept = coverage > 0.02
    return Layer(Tissue.MARROW, bone[kept], coverage[kept].astype(np.float32))


def chain_layer(chain: Chain, points: np.ndarray, width: float) -> Layer:
    """A chain of balls as a layer."""
    return Layer(chain.tissue, *chain.coverage(points, width))


def build_anatomy(subject: Subject, grid: Grid) -> Anatomy:
    """Draw the anatomy of `subject` on `grid`."""
    head = load_head(subject.head)
    fine, factors = grid.refined(LARGEST_VOXEL)
    points = head_coordinates(subject, fine)
    width = float(np.mean(fine.spacing))
    surface = smooth_field(fine, 5.0, (subject.seed, TUMOUR_SURFACE)).ravel()
    cysts = smooth_field(fine, 4.0, (subject.seed, TUMOUR_CYSTS)).ravel()
    grown = grow_tumour(subject.tumour, points, surface, cysts, width)

    is_bone = nearest(head.tissue, points - head.start) == Tissue.BONE_OR_AIR
    pushed = points.copy()
    moves = ~is_bone[grown.pushed_index]
    pushed[grown.pushed_index[moves]] = grown.pushed_points[moves]
    coordinates = (pushed - head.start).T
    tissue = nearest(head.tissue, coordinates.T)

    cochleae = [cochlea(subject.cochlea_size)]
    cochleae.append(cochleae[0].mirrored())
    layers = [marrow_layer(subject, points, tissue, fine)]
    layers += [chain_layer(chain, points, width) for chain in bilateral_structures()]
    cochlea_layers = [chain_layer(chain, points, width) for chain in cochleae]
    layers += cochlea_layers
    cleft = ~is_bone[grown.cleft_index]
    layers += [
        Layer(Tissue.CSF, grown.cleft_index[cleft], grown.cleft_coverage[cleft]),
        Layer(Tissue.TUMOUR, grown.index, grown.coverage),
        Layer(Tissue.TUMOUR_CYST, grown.index, grown.coverage * grown.cystic),
    ]
    for layer in layers:
        solid = layer.coverage >= 0.5
        tissue[layer.index[solid]] = layer.tissue

    def share(index: np.ndarray, coverage: np.ndarray) -> np.ndarray:
        volume = np.zeros(fine.shape, dtype=np.float32)
        volume.ravel()[index] = coverage
        return block_mean(volume, factors)

    cochlea_share = sum(share(layer.index, layer.coverage) for layer in cochlea_layers)
    extra_share = share(grown.index, grown.coverage * grown.is_extra_meatal)
    intra_share = share(grown.index, grown.coverage * ~grown.is_extra_meatal)
    labels = np.where(cochlea_share >= 0.5, COCHLEA, 0)
    tumour = extra_share + intra_share >= 0.5
    labels[tumour] = np.where(extra_share > intra_share, EXTRA_MEATAL, INTRA_MEATAL)[tumour]
    centre_tissue = tissue.reshape(fine.shape)[tuple(slice(f // 2, None, f) for f in factors)]
    return Anatomy(
        subject, grid, fine, factors, coordinates, tuple(layers), centre_tissue, labels.astype(np.uint8)
    )


def nearest(volume: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """Values of `volume` at the voxels nearest to `coordinates` (n, 3); the border is repeated."""
    index = np.rint(coordinates).astype(np.int32)
    return volume[tuple(np.clip(index[:, a], 0, volume.shape[a] - 1) for a in range(3))]


def head_signal(anatomy: Anatomy, signal: np.ndarray) -> np.ndarray:
    """Signal of the warped head alone, (n,): `signal` (one value per `Tissue`) in the slab, interpolated linearly."""
    head = load_head(anatomy.subject.head)
    start = np.maximum(np.floor(anatomy.slab_coordinates.min(1)).astype(int) - 1, 0)
    stop = np.ceil(anatomy.slab_coordinates.max(1)).astype(int) + 2
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    tissue, texture = head.tissue[box], head.texture[box]
    # Partial volume among CSF, grey and white matter; slight unevenness of everything else.
    darker, brighter, uneven = (np.zeros(len(Tissue), np.float32) for _ in range(3))
    csf, grey, white = signal[[Tissue.CSF, Tissue.GREY_MATTER, Tissue.WHITE_MATTER]]
    darker[Tissue.GREY_MATTER], brighter[Tissue.GREY_MATTER] = csf - grey, white - grey
    darker[Tissue.WHITE_MATTER], brighter[Tissue.CSF] = grey - white, grey - csf
    for uneven_tissue in (Tissue.MARROW, Tissue.FAT, Tissue.MUSCLE, Tissue.MUCOSA):
        uneven[uneven_tissue] = 0.3 * signal[uneven_tissue]
    slope = np.where(texture < 0, -darker[tissue], brighter[tissue]) + uneven[tissue]
    volume = signal.astype(np.float32)[tissue] + texture * slope
    coordinates = anatomy.slab_coordinates - start[:, None]
    return map_coordinates(volume, coordinates, order=1, mode="nearest", output=np.float32)
