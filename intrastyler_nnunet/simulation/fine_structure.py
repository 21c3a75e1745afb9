"""Layers finer than the 1 mm heads show: marrow and air cells, folia of the cerebellum, pulsating CSF."""

import numpy as np

from intrastyler_nnunet.simulation.grid import Grid, smooth_field
from intrastyler_nnunet.simulation.painting import Layer
from intrastyler_nnunet.simulation.tissues import Tissue

FOLIUM = 3.2  # mm from fissure to fissure, with the folia's branches; 2 to 4 in Schmahmann et al.'s atlas (2000)
FOURTH_VENTRICLE = np.array([0.0, -43.0, -34.0])  # mm, MNI: fissures are about concentric around it
PULSATING_WIDTH = 20.0  # mm beside the midline
SMALLEST_SHARE = 0.02
# Keys of a subject's smooth fields; those of its shape are in `patient`.
MARROW, CELLS, EFFUSION, FISSURES, PULSATION = range(10, 15)


def marrow_layer(points: np.ndarray, head_tissue: np.ndarray, fine: Grid, seed: int, pneumatisation: float) -> Layer:
    """Marrow among the air cells and dense bone of the skull base.

    Args:
        points: (3, n) MNI mm, of the voxels of `fine`.
        head_tissue: (n,) `Tissue` of the head.
        fine: the grid.
        seed: of the subject's fields.
        pneumatisation: 0..1; the higher, the less marrow.
    """
    index = np.flatnonzero(head_tissue == Tissue.BONE_OR_AIR)
    lateral, _, height = np.abs(points[:, index])
    skull_base = np.clip((lateral - 8) / 6, 0, 1) * np.clip((72 - lateral) / 6, 0, 1) * (height > 18)
    field = smooth_field(fine, 4.0, (seed, MARROW)).ravel()[index]
    return _layer(Tissue.MARROW, index, np.clip((field - 2 * pneumatisation + 0.6) * 0.8, 0, 0.9) * skull_base)


def air_cell_layer(
    points: np.ndarray, head_tissue: np.ndarray, fine: Grid, seed: int, pneumatisation: float, effusion: float
) -> Layer:
    """Mucosa that lines the mastoid's air cells, and fluid in the share `effusion` (0..1) of them.

    Other arguments as of `marrow_layer`. Air itself is as dark as bone. Anatomy: Swartz and Loevner, Imaging of the
    Temporal Bone (2009).
    """
    index = np.flatnonzero(head_tissue == Tissue.BONE_OR_AIR)
    x, y, z = points[:, index]
    index = index[(np.abs(x) > 36) & (np.abs(x) < 72) & (y < -18) & (y > -62) & (z > -62)]
    x, y, _ = points[:, index]
    mastoid = np.clip((np.abs(x) - 36) / 8, 0, 1) * np.clip((-18 - y) / 8, 0, 1)
    cells = smooth_field(fine, 2.2, (seed, CELLS)).ravel()[index]
    walls = np.clip(1 - np.abs(cells) / 0.35, 0, 1) * 0.45 * pneumatisation
    filled = smooth_field(fine, 9.0, (seed, EFFUSION)).ravel()[index] > 1.5 - 3 * effusion
    fluid = np.clip(np.abs(cells) / 0.35, 0, 1) * filled * (effusion > 0)
    return _layer(Tissue.MUCOSA, index, np.maximum(walls, fluid) * mastoid)


def folia_layer(points: np.ndarray, head_tissue: np.ndarray, fine: Grid, seed: int) -> Layer:
    """CSF in the fissures between the cerebellum's folia: slits that fade towards the white cores of the hemispheres.

    Arguments as of `marrow_layer`. The template's voxels are too coarse for them.
    """
    index = np.flatnonzero((head_tissue == Tissue.GREY_MATTER) | (head_tissue == Tissue.WHITE_MATTER))
    x, y, z = points[:, index]
    index = index[(y < -42 + 0.25 * np.abs(x)) & (z < -14 - 0.12 * np.abs(x))]  # behind brainstem, below tentorium
    x, y, z = points[:, index]
    beside = np.abs(x)
    to_core = np.sqrt((np.maximum(np.abs(beside - 22) - 6, 0)) ** 2 + (y + 54) ** 2 + (1.3 * (z + 36)) ** 2)
    behind = np.clip((-42 + 0.25 * beside - y) / 6, 0, 1) * np.clip((-14 - 0.12 * beside - z) / 4, 0, 1)
    depth = np.clip((to_core - 9) / 8, 0, 1) * behind
    undulation = smooth_field(fine, 9.0, (seed, FISSURES, 0)).ravel()[index]
    gaps = smooth_field(fine, 6.0, (seed, FISSURES, 1)).ravel()[index]
    offset = (points[:, index].T - FOURTH_VENTRICLE) * (0.75, 1.0, 1.15)
    phase = 2 * np.pi * np.linalg.norm(offset, axis=1) / FOLIUM + 3.0 * undulation
    slit = np.clip((np.cos(phase) - 0.35) / 0.65, 0, 1)
    return _layer(Tissue.CSF, index, slit * depth * np.clip(0.4 + 0.35 * gaps, 0.0, 0.85))


def pulsation_layer(points: np.ndarray, head_tissue: np.ndarray, fine: Grid, seed: int) -> Layer:
    """CSF that moves with the heartbeat, in clouds within the cisterns near the midline (Lisanti et al., AJR 188:716).

    Arguments as of `marrow_layer`.
    """
    index = np.flatnonzero(head_tissue == Tissue.CSF)
    index = index[np.abs(points[0, index]) < PULSATING_WIDTH]
    medial = np.clip(1.6 - 1.6 * np.abs(points[0, index]) / PULSATING_WIDTH, 0, 1)
    clouds = smooth_field(fine, 7.0, (seed, PULSATION)).ravel()[index]
    return _layer(Tissue.PULSATING_CSF, index, np.clip(0.35 + 0.7 * clouds, 0, 1) * medial)


def _layer(tissue: Tissue, index: np.ndarray, coverage: np.ndarray) -> Layer:
    kept = coverage > SMALLEST_SHARE
    return Layer(tissue, index[kept], coverage[kept].astype(np.float32))
