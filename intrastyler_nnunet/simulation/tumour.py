"""The tumour: a plug in the internal auditory canal and a bulge into the cerebellopontine angle."""
from dataclasses import dataclass

import numpy as np

from intrastyler_nnunet.simulation.structures import CANAL_LATERAL, CANAL_MEDIAL, CANAL_RADIUS, canal_point
from intrastyler_nnunet.simulation.subject import Tumour

PETROUS_NORMAL = np.array([-0.75, -0.66, 0.0]) / np.linalg.norm([-0.75, -0.66, 0.0])  # out of the petrous bone
PUSH = 0.85  # share of the bulge's volume that displaces the brain; the rest replaces CSF
REACH = 30.0  # mm around the bulge beyond which nothing is displaced


@dataclass(frozen=True)
class GrownTumour:
    """A tumour on the voxels of a grid (flat indices)."""

    index: np.ndarray  # (n,) voxels the tumour touches
    coverage: np.ndarray  # (n,) 0..1
    is_extra_meatal: np.ndarray  # (n,) bool
    cystic: np.ndarray  # (n,) 0..1
    cleft_index: np.ndarray  # (c,) voxels of the CSF around it
    cleft_coverage: np.ndarray  # (c,) 0..1
    pushed_index: np.ndarray  # (m,) voxels whose tissue was displaced
    pushed_points: np.ndarray  # (m, 3) mm, MNI: where that tissue was before


@dataclass(frozen=True)
class Bulge:
    """The extra-meatal ellipsoid, cut flat along the petrous bone."""

    porus: np.ndarray  # (3,) mm
    centre: np.ndarray  # (3,) mm
    semi_axes: np.ndarray  # (3,) mm
    radius: float  # mm, of the ball of the same volume


def canal_volume(tumour: Tumour) -> float:
    """Volume (mm^3) of the plug between the tumour's ends in the canal."""
    length = np.linalg.norm(CANAL_LATERAL - CANAL_MEDIAL) * (1 - tumour.fundus - tumour.porus)
    return float(np.pi * (CANAL_RADIUS * (1 + tumour.widening) / 2) ** 2 * length)


def shape_bulge(tumour: Tumour) -> Bulge:
    """The bulge that brings the tumour to its volume; on the right side."""
    porus = canal_point(tumour.porus)
    shape = np.array(tumour.semi_axes) / np.prod(tumour.semi_axes) ** (1 / 3)
    # The plane at the porus cuts off about a ninth of the ellipsoid.
    radius = ((tumour.volume - canal_volume(tumour)) / 0.88 * 3 / (4 * np.pi)) ** (1 / 3)
    return Bulge(porus, porus + 0.55 * radius * np.array(tumour.direction), radius * shape, float(radius))


def grow_tumour(
    tumour: Tumour, points: np.ndarray, surface: np.ndarray, cysts: np.ndarray, width: float
) -> GrownTumour:
    """Grow `tumour` among `points` (n, 3), MNI mm.

    `surface` and `cysts` (n,) are smooth fields of unit variance: undulation and cystic parts; `width` (mm) is the
    softness of the surface.
    """
    near = np.flatnonzero(np.abs(points - [20 * tumour.side, -37, -37]).max(1) < REACH)
    local = points[near] * np.array([tumour.side, 1, 1], dtype=np.float32)
    bulge = shape_bulge(tumour)

    axis = (CANAL_LATERAL - CANAL_MEDIAL) / np.linalg.norm(CANAL_LATERAL - CANAL_MEDIAL)
    length = float(np.linalg.norm(CANAL_LATERAL - CANAL_MEDIAL))
    along = (local - CANAL_MEDIAL) @ axis
    beside = np.linalg.norm(local - CANAL_MEDIAL - along[:, None] * axis, axis=1)
    from_fundus = np.clip(1 - along / length, 0, 1)
    plug_radius = CANAL_RADIUS * (1 + (tumour.widening - 1) * from_fundus)
    beyond = (local - bulge.porus) @ PETROUS_NORMAL  # > 0 outside the petrous bone
    plug = np.minimum.reduce([plug_radius - beside, length * (1 - tumour.fundus) - along, 1.0 - beyond])
    undulation = tumour.roughness * surface[near]

    if tumour.extra_meatal:
        relative = (local - bulge.centre) / bulge.semi_axes
        ball = (1 - np.linalg.norm(relative, axis=1)) * bulge.radius + undulation
        bulge_depth = np.minimum(ball, beyond)
    else:
        plug = np.minimum(plug, -beyond)
        bulge_depth = np.full(len(near), -np.inf)
    depth = np.maximum(plug, bulge_depth)
    coverage = np.clip(0.5 + depth / width, 0, 1).astype(np.float32)
    touched = coverage > 0
    cleft = np.clip(0.5 + (bulge_depth + tumour.cleft) / width, 0, 1).astype(np.float32)
    cleft_touched = (cleft > 0) & (tumour.cleft > 0)

    pushed = np.array([], dtype=int)
    pushed_points = np.zeros((0, 3), dtype=np.float32)
    if tumour.extra_meatal:
        offset = local - bulge.centre
        distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-3)
        # A ball of tissue makes room for the bulge: volumes are kept, so r'^3 = r^3 - R^3; it fades out with distance.
        fade = np.clip(1 - (distance - bulge.radius) / REACH, 0, 1) * PUSH
        shrink = np.cbrt(np.maximum(1 - fade * (bulge.radius / distance) ** 3, 0))
        moved = bulge.centre + offset * shrink[:, None]
        pushed = near
        pushed_points = (moved * np.array([tumour.side, 1, 1])).astype(np.float32)
    return GrownTumour(
        index=near[touched],
        coverage=coverage[touched],
        is_extra_meatal=(beyond > 0)[touched],
        cystic=np.clip(tumour.cysts * (cysts[near] + 0.3), 0, 1)[touched].astype(np.float32),
        cleft_index=near[cleft_touched],
        cleft_coverage=cleft[cleft_touched],
        pushed_index=pushed,
        pushed_points=pushed_points,
    )
