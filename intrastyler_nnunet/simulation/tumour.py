"""The tumour: a plug in the internal auditory canal and a bulge into the cerebellopontine angle."""

from dataclasses import dataclass

import numpy as np

from intrastyler_nnunet.simulation.chains import CANAL_LATERAL, CANAL_MEDIAL, CANAL_RADIUS, canal_point
from intrastyler_nnunet.simulation.subject import Tumour

PETROUS_NORMAL = np.array([-0.75, -0.66, 0.0]) / np.linalg.norm([0.75, 0.66])  # out of the petrous bone
CANAL_LENGTH = float(np.linalg.norm(CANAL_LATERAL - CANAL_MEDIAL))  # mm
PUSH = 0.85  # share of the bulge's volume that displaces the brain; the rest replaces CSF
ROUNDING = 2.0  # mm: how wide edges between porus and bulge are rounded
REACH = 20.0  # mm around the bulge beyond which nothing is displaced


@dataclass(frozen=True)
class GrownTumour:
    """A tumour on the voxels of a grid (flat indices)."""

    index: np.ndarray  # (n,) voxels the tumour touches
    coverage: np.ndarray  # (n,) 0..1
    is_extra_meatal: np.ndarray  # (n,) bool
    cystic: np.ndarray  # (n,) 0..1
    necrotic: np.ndarray  # (n,) 0..1
    cleft_index: np.ndarray  # (c,) voxels of the CSF around it
    cleft_coverage: np.ndarray  # (c,) 0..1
    pushed_index: np.ndarray  # (m,) voxels whose tissue it displaced
    pushed_points: np.ndarray  # (3, m) mm, MNI: where that tissue was before


@dataclass(frozen=True)
class Bulge:
    """The extra-meatal ellipsoid, cut along the petrous bone with a rounded edge."""

    porus: np.ndarray  # (3,) mm
    centre: np.ndarray  # (3,) mm
    semi_axes: np.ndarray  # (3,) mm
    radius: float  # mm, of the ball of the same volume


def grow_tumour(
    tumour: Tumour, points: np.ndarray, surface: np.ndarray, cores: np.ndarray, clefts: np.ndarray, softness: float
) -> GrownTumour:
    """Grow `tumour` among `points` (3, n), MNI mm.

    `surface`, `cores` and `clefts` (n,) are smooth fields of unit variance: of undulation, the outline of necrosis and
    the thickness of the CSF around the bulge; `softness` (mm) is the width over which coverage falls from 1 to 0.
    """
    bulge = shape_bulge(tumour)
    to_right_side = np.array([tumour.side, 1, 1], dtype=np.float32)
    around, reach = bulge.centre * to_right_side, bulge.radius + REACH
    close = np.logical_and.reduce([np.abs(p - c) < reach for p, c in zip(points, around, strict=True)])
    near = np.flatnonzero(close)
    local = points[:, near].T * to_right_side

    beyond = (local - bulge.porus) @ PETROUS_NORMAL  # mm out of the petrous bone
    plug = plug_depth(tumour, local, beyond)
    if tumour.extra_meatal:
        ball = ball_depth(bulge, local) + tumour.roughness * surface[near]
        outside = rounded_minimum(ball, beyond)
        depth = -rounded_minimum(-plug, -outside)
    else:
        depth = rounded_minimum(plug, -beyond)
        outside = np.full(len(near), -np.inf)
    coverage = np.clip(0.5 + depth / softness, 0, 1).astype(np.float32)
    thickness = tumour.cleft * np.clip(0.9 * clefts[near] - 0.4, 0, 1.5)  # none over two thirds
    cleft = np.clip(0.5 + (outside + thickness) / softness, 0, 1) * np.clip(2 * thickness, 0, 1)

    touched, in_cleft = coverage > 0, cleft > 0
    pushed = np.full(len(near), tumour.extra_meatal)
    return GrownTumour(
        index=near[touched],
        coverage=coverage[touched],
        is_extra_meatal=(beyond > 0)[touched],
        cystic=cystic_share(tumour, bulge, local[touched], softness),
        necrotic=necrotic_share(tumour, bulge, local[touched], cores[near][touched], softness),
        cleft_index=near[in_cleft],
        cleft_coverage=cleft[in_cleft].astype(np.float32),
        pushed_index=near[pushed],
        pushed_points=(before_push(bulge, local[pushed]) * to_right_side).T.astype(np.float32),
    )


def shape_bulge(tumour: Tumour) -> Bulge:
    """The extra-meatal part at its volume; on the right side."""
    porus = canal_point(tumour.porus)
    shape = np.array(tumour.semi_axes) / np.prod(tumour.semi_axes) ** (1 / 3)
    # The plane at the porus and its rounded edge cut off about a fifth of the ellipsoid.
    radius = (tumour.bulge_volume / 0.8 * 3 / (4 * np.pi)) ** (1 / 3)
    return Bulge(porus, porus + 0.42 * radius * np.array(tumour.direction), radius * shape, float(radius))


def rounded_minimum(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The smaller of two depths (mm), its edge rounded over `ROUNDING` mm: a quarter less where both are equal."""
    share = np.clip(0.5 + 0.5 * (second - first) / ROUNDING, 0, 1)
    return share * first + (1 - share) * second - ROUNDING * share * (1 - share)


def cystic_share(tumour: Tumour, bulge: Bulge, points: np.ndarray, softness: float) -> np.ndarray:
    """How far cysts fill the `points` (n, 3), on the right side: 0..1, float32."""
    share = np.zeros(len(points), dtype=np.float32)
    for *centre, radius in tumour.cysts if tumour.extra_meatal else ():
        offset = (points - bulge.centre) / bulge.semi_axes - np.array(centre)
        depth = (radius - np.linalg.norm(offset, axis=1)) * bulge.radius
        np.maximum(share, np.clip(0.5 + depth / softness, 0, 1), out=share)
    return share


def necrotic_share(
    tumour: Tumour, bulge: Bulge, points: np.ndarray, outline: np.ndarray, softness: float
) -> np.ndarray:
    """How far the necrotic core fills the `points` (n, 3), on the right side: 0..1, float32.

    `outline` (n,) is a smooth field of unit variance that makes its border irregular.
    """
    if not (tumour.extra_meatal and tumour.necrosis):
        return np.zeros(len(points), dtype=np.float32)
    depth = (
        ball_depth(bulge, points)
        - (1 - tumour.necrosis) * bulge.radius
        + 0.25 * tumour.necrosis * bulge.radius * outline
    )
    return np.clip(0.5 + depth / (2 * softness), 0, 1).astype(np.float32)


def plug_depth(tumour: Tumour, points: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """Depth (n,), mm, below the surface of the plug in the canal; `points` (n, 3) on the right side.

    The canal widens towards the porus, and the plug reaches 1 mm `beyond` (n,) the petrous bone to meet the bulge.
    """
    axis = (CANAL_LATERAL - CANAL_MEDIAL) / CANAL_LENGTH
    along = (points - CANAL_MEDIAL) @ axis
    beside = np.linalg.norm(points - CANAL_MEDIAL - along[:, None] * axis, axis=1)
    radius = CANAL_RADIUS * (1 + (tumour.widening - 1) * np.clip(1 - along / CANAL_LENGTH, 0, 1))
    return np.minimum.reduce([radius - beside, CANAL_LENGTH * (1 - tumour.fundus) - along, 1.0 - beyond])


def ball_depth(bulge: Bulge, points: np.ndarray) -> np.ndarray:
    """Depth (n,), about in mm, below the surface of the whole ellipsoid; `points` (n, 3) on the right side."""
    return (1 - np.linalg.norm((points - bulge.centre) / bulge.semi_axes, axis=1)) * bulge.radius


def before_push(bulge: Bulge, points: np.ndarray) -> np.ndarray:
    """Where the tissue at `points` (n, 3) was before the bulge grew.

    Tissue around a growing ball of radius R keeps its volume, r'^3 = r^3 - R^3; here the effect fades with distance.
    """
    offset = points - bulge.centre
    distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-3)
    effect = np.clip(1 - (distance - bulge.radius) / REACH, 0, 1) * PUSH
    shrink = np.cbrt(np.maximum(1 - effect * (bulge.radius / distance) ** 3, 0))
    return bulge.centre + offset * shrink[:, None]
