"""Structures no template shows, drawn analytically in MNI mm: inner ear, internal auditory canal, nerves, vessels.

Everything is given for the right side (x > 0) and mirrored for the left. A structure is a chain of balls: points with
radii, dense enough to be a smooth tube.
"""
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from intrastyler_nnunet.simulation.tissues import Tissue

CANAL_MEDIAL = np.array([21.0, -37.0, -37.0])
CANAL_LATERAL = np.array([31.0, -33.5, -36.0])
CANAL_RADIUS = 2.4
COCHLEA_CENTRE = np.array([34.5, -29.0, -37.0])
MODIOLUS = np.array([0.62, 0.75, -0.2]) / np.linalg.norm([0.62, 0.75, -0.2])  # from base to apex
VESTIBULE_CENTRE = np.array([36.8, -33.8, -36.0])
STEP = 0.25  # mm between the balls of a chain


@dataclass(frozen=True)
class Chain:
    """Overlapping balls of one tissue."""

    tissue: Tissue
    points: np.ndarray  # (n, 3) mm
    radii: np.ndarray  # (n,) mm

    def mirrored(self) -> "Chain":
        """The same structure on the other side of the head."""
        return Chain(self.tissue, self.points * (-1, 1, 1), self.radii)

    def coverage(self, points: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the `points` (n, 3) the structure touches, and how far it covers them, 0..1.

        The coverage falls linearly from 1 to 0 over `width` mm across the surface.
        """
        reach = self.radii.max() + width / 2
        inside = (points > self.points.min(0) - reach) & (points < self.points.max(0) + reach)
        index = np.flatnonzero(inside.all(1))
        distance, nearest = cKDTree(self.points).query(points[index], distance_upper_bound=reach)
        touched = np.isfinite(distance)
        depth = self.radii[nearest[touched]] - distance[touched]
        cover = np.clip(0.5 + depth / width, 0, 1).astype(np.float32)
        return index[touched][cover > 0], cover[cover > 0]


def tube(tissue: Tissue, knots: list[tuple[float, float, float]], radii: float | list[float]) -> Chain:
    """A tube along a smooth curve through `knots` (mm), with one radius or a radius at every knot."""
    knots = np.asarray(knots, dtype=float)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    at = np.linspace(0, length[-1], int(length[-1] / STEP) + 2)
    return Chain(tissue, CubicSpline(length, knots)(at), np.interp(at, length, np.broadcast_to(radii, len(knots))))


def ring(tissue: Tissue, centre: tuple[float, float, float], normal: tuple[float, float, float], radius: float,
         thickness: float) -> Chain:
    """A ring around `centre` in the plane with this `normal`."""
    first, second = plane_basis(np.asarray(normal, dtype=float))
    angles = np.linspace(0, 2 * np.pi, int(2 * np.pi * radius / STEP))
    points = centre + radius * (np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second)
    return Chain(tissue, points, np.full(len(points), thickness))


def plane_basis(normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors that span the plane with this `normal`."""
    normal = normal / np.linalg.norm(normal)
    first = np.cross(normal, [0, 0, 1.0] if abs(normal[2]) < 0.9 else [1.0, 0, 0])
    first /= np.linalg.norm(first)
    return first, np.cross(normal, first)


def cochlea(size: float) -> Chain:
    """Two and a half turns of a conical spiral, tapering to the apex; `size` scales it."""
    turn = np.linspace(0, 1, 140)
    angles = 2 * np.pi * 2.5 * turn
    first, second = plane_basis(MODIOLUS)
    radius = 2.6 * (1 - 0.72 * turn)
    height = 3.4 * turn - 1.5
    spiral = radius[:, None] * (np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second)
    points = COCHLEA_CENTRE + size * (spiral + height[:, None] * MODIOLUS)
    return Chain(Tissue.INNER_EAR_FLUID, points, size * (1.0 - 0.3 * turn))


def canal_point(fraction: float) -> np.ndarray:
    """The point on the canal's axis at `fraction` of its length from the medial end."""
    return CANAL_MEDIAL + fraction * (CANAL_LATERAL - CANAL_MEDIAL)


def labyrinth() -> list[Chain]:
    """Vestibule and semicircular canals."""
    fluid = Tissue.INNER_EAR_FLUID
    x, y, z = VESTIBULE_CENTRE
    return [
        tube(fluid, [(x - 0.5, y + 1.2, z - 0.8), (x, y, z), (x + 0.4, y - 1.2, z + 0.6)], 1.7),
        ring(fluid, (x + 3.2, y - 1.6, z + 0.3), (0.0, -0.35, 1.0), 2.9, 0.65),  # lateral
        ring(fluid, (x + 1.0, y - 0.6, z + 3.6), (0.72, -0.69, 0.0), 3.0, 0.65),  # superior
        ring(fluid, (x + 2.2, y - 4.0, z + 0.2), (0.69, 0.72, 0.0), 3.0, 0.65),  # posterior
    ]


def temporal_bone() -> list[Chain]:
    """The dense bone around canal and inner ear."""
    bone = Tissue.BONE_OR_AIR
    return [
        tube(bone, [canal_point(0.45), canal_point(1.0), tuple(VESTIBULE_CENTRE + (2, -1, 0.5))], [4.6, 6.0, 8.0]),
        tube(bone, [canal_point(0.75), tuple(COCHLEA_CENTRE), tuple(COCHLEA_CENTRE + (2, 1, 0))], [4.5, 6.5, 6.5]),
    ]


def canal_and_nerves() -> list[Chain]:
    """Internal auditory canal and the nerves that cross the cistern into it."""
    nerve = Tissue.WHITE_MATTER
    canal = tube(Tissue.CSF, [canal_point(-0.25), canal_point(0.5), canal_point(1.0)], [2.9, CANAL_RADIUS, 2.0])
    facial = tube(nerve, [(12.5, -34.5, -40), canal_point(0.0) + (0, 0.9, 0.7), canal_point(1.0) + (0, 0.9, 0.8)], 0.5)
    vestibular = tube(
        nerve, [(13.5, -36.5, -40), canal_point(0.0) + (0, -0.7, -0.5), canal_point(1.0) + (0, -0.8, -0.4)], 0.65
    )
    return [canal, facial, vestibular]


def paired_vessels() -> list[Chain]:
    """Sigmoid sinus and internal carotid artery."""
    blood = Tissue.BLOOD
    sinus = [(50, -62, -24), (58, -53, -29), (57.5, -46, -38), (52, -42, -46), (41, -38, -54), (31, -33, -60)]
    carotid = [(33, -22, -62), (31, -19, -52), (25, -15, -46), (16, -9, -42), (12.5, -2, -37), (13, 7, -30)]
    return [tube(blood, sinus, [3.2, 4.2, 4.4, 4.2, 4.2, 4.5]), tube(blood, carotid, 2.5)]


def basilar_artery() -> Chain:
    """The basilar artery in front of the brainstem, on the midline."""
    return tube(Tissue.BLOOD, [(3, -21, -57), (1, -15.5, -48), (0, -9.5, -40), (0.5, -7.5, -32), (0, -10, -22)], 1.6)


def bilateral_structures() -> list[Chain]:
    """All that is drawn into every head, both sides, in painting order, without the cochleae themselves."""
    one_side = [*temporal_bone(), *canal_and_nerves(), *labyrinth(), *paired_vessels()]
    return [*one_side, *(chain.mirrored() for chain in one_side), basilar_artery()]
