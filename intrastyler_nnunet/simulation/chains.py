"""What no template shows, drawn analytically in MNI mm: inner ear, internal auditory canal, nerves, vessels.

Everything is given for the right side (x > 0) and mirrored for the left. A structure is a chain of balls: points
with radii, dense enough to be a smooth tube.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from intrastyler_nnunet.simulation.tissues import Tissue

Point = tuple[float, float, float] | np.ndarray

CANAL_MEDIAL = np.array([21.0, -37.0, -37.0])
CANAL_LATERAL = np.array([31.0, -33.5, -36.0])
CANAL_RADIUS = 2.4
COCHLEA_CENTRE = np.array([34.5, -29.0, -37.0])
MODIOLUS = np.array([0.62, 0.75, -0.2]) / np.linalg.norm([0.62, 0.75, -0.2])  # from base to apex
VESTIBULE_CENTRE = np.array([36.8, -33.8, -36.0])
STEP = 0.25  # mm between the balls of a chain
CELL = 2.0  # mm


@dataclass(frozen=True)
class Chain:
    """Overlapping balls of one tissue."""

    tissue: Tissue
    points: np.ndarray  # (n, 3) mm
    radii: np.ndarray  # (n,) mm

    def mirrored(self) -> "Chain":
        """This structure on the other side of the head."""
        return Chain(self.tissue, self.points * (-1, 1, 1), self.radii)

    def coverage(self, places: "Places", width: float) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the `places` that the structure touches, and how far it covers them, 0..1.

        The coverage falls linearly from 1 to 0 over `width` mm across the surface.
        """
        reach = self.radii.max() + width / 2
        balls = cKDTree(self.points)
        index = places.near(balls, reach)
        distance, nearest = balls.query(places.points[:, index].T, distance_upper_bound=reach)
        touched = np.isfinite(distance)
        depth = self.radii[nearest[touched]] - distance[touched]
        cover = np.clip(0.5 + depth / width, 0, 1).astype(np.float32)
        return index[touched][cover > 0], cover[cover > 0]


class Places:
    """Points sorted into cubic cells, so that those near a structure are found without measuring all distances."""

    def __init__(self, points: np.ndarray):
        """`points`: (3, n) mm."""
        self.points = points
        start = points.min(axis=1)[:, None]
        cells = ((points - start) / CELL).astype(np.int32)
        shape = cells.max(axis=1) + 1
        self._cell_of_point = np.ravel_multi_index(tuple(cells), shape).astype(np.int32)
        self._centres = (np.indices(shape).reshape(3, -1) + 0.5) * CELL + start

    def near(self, content: cKDTree, margin: float) -> np.ndarray:
        """Indices of all points within `margin` mm of the `content`, and of some a little beyond."""
        reach = margin + CELL * np.sqrt(3) / 2
        low, high = content.mins[:, None] - reach, content.maxes[:, None] + reach
        cells = np.flatnonzero(np.all((self._centres > low) & (self._centres < high), axis=0))
        distance, _ = content.query(self._centres[:, cells].T, distance_upper_bound=reach)
        touched = np.zeros(self._centres.shape[1], dtype=bool)
        touched[cells[np.isfinite(distance)]] = True
        return np.flatnonzero(touched.take(self._cell_of_point))


def tube(tissue: Tissue, knots: list[Point], radii: float | list[float]) -> Chain:
    """A tube along a smooth curve through `knots` (mm), with one radius or a radius at every knot."""
    knots = np.asarray(knots, dtype=float)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    step = max(STEP, np.min(radii) / 4)
    at = np.linspace(0, length[-1], int(length[-1] / step) + 2)
    radii_at = np.interp(at, length, np.broadcast_to(radii, len(knots)))
    return Chain(tissue, CubicSpline(length, knots)(at), radii_at)


def ring(tissue: Tissue, centre: Point, normal: Point, radius: float, thickness: float) -> Chain:
    """A ring of this `radius` around `centre` in the plane with this `normal`; `thickness` is its tube's radius."""
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
    return Chain(Tissue.INNER_EAR_FLUID, points, size * (1.04 - 0.3 * turn))


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
    around_vestibule = [canal_point(0.45), canal_point(1.0), VESTIBULE_CENTRE + (2, -1, 0.5)]
    around_cochlea = [canal_point(0.75), COCHLEA_CENTRE, COCHLEA_CENTRE + (2, 1, 0)]
    return [
        tube(Tissue.BONE_OR_AIR, around_vestibule, [4.6, 6.0, 8.0]),
        tube(Tissue.BONE_OR_AIR, around_cochlea, [4.5, 6.5, 6.5]),
    ]


def canal_and_nerves() -> list[Chain]:
    """Internal auditory canal and the nerves that cross the cistern into it."""
    opening, fundus = canal_point(0.0), canal_point(1.0)
    facial = [(12.5, -34.5, -40), opening + (0, 0.9, 0.7), fundus + (0, 0.9, 0.8)]
    vestibular = [(13.5, -36.5, -40), opening + (0, -0.7, -0.5), fundus + (0, -0.8, -0.4)]
    return [
        tube(Tissue.CSF, [canal_point(-0.25), canal_point(0.5), fundus], [2.9, CANAL_RADIUS, 2.0]),
        tube(Tissue.WHITE_MATTER, facial, 0.5),
        tube(Tissue.WHITE_MATTER, vestibular, 0.65),
    ]


def paired_vessels() -> list[Chain]:
    """Sigmoid sinus and internal carotid artery."""
    blood = Tissue.BLOOD
    sinus = [(50, -62, -24), (58, -53, -29), (57.5, -46, -38), (52, -42, -46), (41, -38, -54), (31, -33, -60)]
    carotid = [(33, -22, -62), (31, -19, -52), (25, -15, -46), (16, -9, -42), (12.5, -2, -37), (13, 7, -30)]
    return [tube(blood, sinus, [3.2, 4.2, 4.4, 4.2, 4.2, 4.5]), tube(blood, carotid, 2.5)]


def small_vessels(loop: float) -> list[Chain]:
    """Anterior inferior and superior cerebellar artery and the superior petrosal vein, of the right side.

    `loop` (0..1) is how far the anterior inferior cerebellar artery reaches into the canal before it turns to the
    cerebellum. Courses: Rhoton, Neurosurgery 47(3 Suppl):S93 (2000).
    """
    blood = Tissue.BLOOD
    turn = canal_point(loop) + (0, 0.8, 0.9)
    anterior_inferior = [
        (0.8, -10.5, -42), (8, -17.5, -42), (14.5, -28, -41), canal_point(-0.2) + (0, 1.2, 1.2), turn,
        canal_point(-0.15) + (0, -1.2, 0.6), (19, -45, -42), (24, -50, -46),
    ]  # fmt: skip
    superior = [(0.6, -9, -27), (9, -14, -25), (16, -26, -23), (18, -38, -21), (15, -46, -19)]
    petrosal_vein = [(22, -48, -31), (22.5, -40, -28), (25, -31, -24), (26, -27, -21)]
    return [tube(blood, anterior_inferior, 0.6), tube(blood, superior, 0.7), tube(blood, petrosal_vein, 0.9)]


def basilar_artery() -> Chain:
    """The basilar artery in front of the brainstem, on the midline."""
    course = [(3, -21, -57), (1, -15.5, -48), (0, -9.5, -40), (0.5, -7.5, -32), (0, -10, -22)]
    return tube(Tissue.BLOOD, course, 1.6)


def bilateral_structures(artery_loop: float = 0.0) -> list[Chain]:
    """All that is drawn into every head, both sides, in painting order, without the cochleae themselves."""
    one_side = [
        *temporal_bone(), *canal_and_nerves(), *small_vessels(artery_loop), *labyrinth(), *paired_vessels(),
    ]  # fmt: skip
    return [*one_side, *(chain.mirrored() for chain in one_side), basilar_artery()]
