"""From a subject to its anatomy on a grid: warped head, inner ear and tumour, ready to be given signals."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from intrastyler_nnunet.simulation.chains import Places, bilateral_structures, cochlea
from intrastyler_nnunet.simulation.fine_structure import air_cell_layer, folia_layer, marrow_layer, pulsation_layer
from intrastyler_nnunet.simulation.grid import Grid, block_mean, smooth_field
from intrastyler_nnunet.simulation.head import load_head, nearest
from intrastyler_nnunet.simulation.painting import Layer, chain_layer, paint_classes, share
from intrastyler_nnunet.simulation.subject import Subject
from intrastyler_nnunet.simulation.tissues import Tissue
from intrastyler_nnunet.simulation.tumour import GrownTumour, grow_tumour

LARGEST_VOXEL = 0.8  # mm: anatomy is drawn on a grid at least this fine, then averaged
EXTRA_MEATAL, INTRA_MEATAL, COCHLEA = 1, 2, 3
# Keys of the smooth fields of a subject, so that they are independent of each other.
WARP, TUMOUR_SURFACE, TUMOUR_CORE, TUMOUR_CLEFTS = range(4)


@dataclass(frozen=True)
class Anatomy:
    """The anatomy of a subject on a fine grid; independent of any scanner."""

    subject: Subject
    grid: Grid  # of the images
    fine: Grid
    factors: tuple[int, int, int]  # fine voxels per image voxel
    slab_coordinates: np.ndarray  # (3, n) voxel coordinates in the head slab of every fine voxel
    head_tissue: np.ndarray  # (n,) uint8: `Tissue` of the head alone at every fine voxel
    layers: tuple[Layer, ...]  # on the fine grid, in painting order
    labels: np.ndarray  # (x, y, z) uint8: 0 background, 1 extra-meatal, 2 intra-meatal, 3 cochlea

    @cached_property
    def tissue(self) -> np.ndarray:
        """The `Tissue` (x, y, z), uint8, that fills most of every image voxel."""
        tissue = self.head_tissue.copy()
        paint_classes(tissue, self.layers)
        shares = [block_mean(tissue.reshape(self.fine.shape) == name, self.factors) for name in Tissue]
        return np.argmax(shares, axis=0).astype(np.uint8)


def build_anatomy(subject: Subject, grid: Grid) -> Anatomy:
    """Build the anatomy of `subject` on `grid`."""
    head = load_head(subject.head)
    fine, factors = grid.refined(LARGEST_VOXEL)
    softness = float(np.mean(fine.spacing))
    points = head_coordinates(subject, fine)
    tumour = grow_tumour(
        subject.tumour, points, smooth_field(fine, 5.0, (subject.seed, TUMOUR_SURFACE)).ravel(),
        smooth_field(fine, 4.0, (subject.seed, TUMOUR_CORE)).ravel(),
        smooth_field(fine, 5.0, (subject.seed, TUMOUR_CLEFTS)).ravel(), softness,
    )  # fmt: skip

    start = head.start.astype(np.float32)[:, None]
    is_bone = nearest(head.tissue, points - start) == Tissue.BONE_OR_AIR
    before = displaced(points, tumour, is_bone)
    slab_coordinates = before - start
    head_tissue = nearest(head.tissue, slab_coordinates)

    places, drawn = Places(points), (before, head_tissue, fine, subject.seed)
    right_cochlea = cochlea(subject.cochlea_size)
    cochleae = [chain_layer(chain, places, softness) for chain in (right_cochlea, right_cochlea.mirrored())]
    layers = (
        marrow_layer(*drawn, subject.pneumatisation),
        air_cell_layer(*drawn, subject.pneumatisation, subject.effusion),
        folia_layer(*drawn),
        pulsation_layer(*drawn),
        *(chain_layer(chain, places, softness) for chain in bilateral_structures(subject.artery_loop)),
        *cochleae,
        *tumour_layers(tumour, is_bone),
    )
    labels = label_map(tumour, cochleae, fine, factors)
    return Anatomy(subject, grid, fine, factors, slab_coordinates, head_tissue, layers, labels)


def head_coordinates(subject: Subject, fine: Grid) -> np.ndarray:
    """MNI coordinates (3, n), in mm, of the place of the head that lies at every voxel of the grid."""
    centre = np.array(fine.centre)[:, None]
    points = np.stack(np.meshgrid(*fine.axes(), indexing="ij")).reshape(3, -1)
    rotation = Rotation.from_euler("xyz", subject.rotation, degrees=True).as_matrix()
    matrix = rotation / np.array(subject.scale)[:, None]
    points = matrix @ (points - centre - np.array(subject.translation)[:, None]) + centre
    for axis in range(3):
        points[axis] += subject.warp * smooth_field(fine, 24.0, (subject.seed, WARP, axis)).ravel()
    return points.astype(np.float32)


def displaced(points: np.ndarray, tumour: GrownTumour, is_bone: np.ndarray) -> np.ndarray:
    """Where the tissue at `points` (3, n) was before the tumour pushed it; bone (n,) does not give way."""
    result = points.copy()
    gives_way = ~is_bone[tumour.pushed_index]
    result[:, tumour.pushed_index[gives_way]] = tumour.pushed_points[:, gives_way]
    return result


def tumour_layers(tumour: GrownTumour, is_bone: np.ndarray) -> list[Layer]:
    """The CSF around the tumour, the tumour, its necrotic core and its cysts."""
    cleft = ~is_bone[tumour.cleft_index]
    return [
        Layer(Tissue.CSF, tumour.cleft_index[cleft], tumour.cleft_coverage[cleft]),
        Layer(Tissue.TUMOUR, tumour.index, tumour.coverage),
        Layer(Tissue.TUMOUR_NECROSIS, tumour.index, tumour.coverage * tumour.necrotic),
        Layer(Tissue.TUMOUR_CYST, tumour.index, tumour.coverage * tumour.cystic),
    ]


def label_map(tumour: GrownTumour, cochleae: list[Layer], fine: Grid, factors: tuple[int, int, int]) -> np.ndarray:
    """Labels (x, y, z), uint8, of the image voxels that a structure fills by half or more."""
    cochlea_share = sum(share(layer.index, layer.coverage, fine, factors) for layer in cochleae)
    extra_share = share(tumour.index, tumour.coverage * tumour.is_extra_meatal, fine, factors)
    intra_share = share(tumour.index, tumour.coverage * ~tumour.is_extra_meatal, fine, factors)
    labels = np.where(cochlea_share >= 0.5, COCHLEA, 0)
    is_tumour = extra_share + intra_share >= 0.5
    labels[is_tumour] = np.where(extra_share > intra_share, EXTRA_MEATAL, INTRA_MEATAL)[is_tumour]
    return labels.astype(np.uint8)
