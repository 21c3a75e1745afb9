"""Subjects: what differs from patient to patient, as numbers drawn by a seed."""

from dataclasses import dataclass

import numpy as np

from intrastyler_nnunet.simulation.tissues import Tissue

BULGE_VOLUMES = (60.0, 6000.0)  # mm^3


@dataclass(frozen=True)
class Tumour:
    """A vestibular schwannoma."""

    side: int  # +1 right, -1 left
    extra_meatal: bool
    bulge_volume: float  # mm^3 of the extra-meatal part; without one it has no meaning
    fundus: float  # 0..1 where along the canal, from its lateral end, the tumour begins
    porus: float  # 0..1 where along the canal, from its medial end, the extra-meatal part begins
    widening: float  # radius at the porus over the canal's radius
    semi_axes: tuple[float, float, float]  # relative semi-axes of the extra-meatal ellipsoid (x, y, z)
    direction: tuple[float, float, float]  # of growth: lateral, anterior, superior
    roughness: float  # mm, standard deviation of the surface's undulation
    cleft: float  # mm, scale of the thickness of CSF between tumour and brain
    cysts: tuple[tuple[float, float, float, float], ...]  # centres and radii, in units of the bulge's radius
    necrosis: float  # 0..1 how far the core without much contrast agent reaches from the centre to the surface


@dataclass(frozen=True)
class Subject:
    """A patient: a head, how it is warped and positioned, and a tumour."""

    index: int
    head: str
    seed: int  # of the subject's smooth fields
    rotation: tuple[float, float, float]  # degrees about x, y, z
    scale: tuple[float, float, float]
    translation: tuple[float, float, float]  # mm
    warp: float  # mm, standard deviation of the smooth displacement
    cochlea_size: float  # relative linear size
    pneumatisation: float  # 0..1, how far the temporal bone is air instead of marrow
    artery_loop: float  # 0..1 how far the anterior inferior cerebellar artery loops into the canal
    effusion: float  # 0..1 share of the mastoid's air cells that fluid fills
    property_factors: tuple[tuple[float, float, float, float], ...]  # per tissue: of PD, T1, T2, gadolinium
    tumour: Tumour


def sample_tumour(rng: np.random.Generator) -> Tumour:
    """Draw a tumour of any of Koos' grades (Koos et al., J Neurosurg 88:506 (1998)).

    Grade I, without an extra-meatal part, is one in seven; the volumes of the others are log-uniform, so that all sizes
    from a tip at the porus to a tumour that indents the brainstem are as frequent.
    """
    extra_meatal = bool(rng.random() > 1 / 7)
    direction = np.array([-1.0, rng.uniform(-0.55, -0.1), rng.uniform(-0.35, 0.35)])
    return Tumour(
        side=int(rng.choice([-1, 1])),
        extra_meatal=extra_meatal,
        bulge_volume=float(np.exp(rng.uniform(*np.log(BULGE_VOLUMES)))),
        fundus=float(rng.uniform(0.0, 0.4)),
        porus=float(rng.uniform(0.05, 0.3)),
        widening=float(rng.uniform(1.1, 1.5)),
        semi_axes=tuple(float(a) for a in rng.uniform(0.8, 1.2, 3)),
        direction=tuple(float(d) for d in direction / np.linalg.norm(direction)),
        roughness=float(rng.uniform(0.2, 0.8)),
        cleft=float(rng.uniform(0.2, 1.8)),
        cysts=sample_cysts(rng),
        necrosis=float(max(rng.uniform(-0.5, 0.9), 0)),
    )


def sample_cysts(rng: np.random.Generator) -> tuple[tuple[float, float, float, float], ...]:
    """A cluster of one to six cysts of different size in a third of the tumours, central or at the surface.

    Kinds and frequency: Piccirillo et al., Otol Neurotol 30:826 (2009).
    """
    count = int(rng.integers(1, 7)) * (rng.random() < 1 / 3)
    direction = rng.normal(size=3)
    cluster = direction / np.linalg.norm(direction) * rng.uniform(0.1, 0.75)
    centres = cluster + rng.normal(0, 0.28, (count, 3))
    radii = rng.uniform(0.1, 0.4, (count, 1))
    return tuple(tuple(float(v) for v in row) for row in np.concatenate([centres, radii], axis=1))


def sample_property_factors(rng: np.random.Generator) -> tuple[tuple[float, float, float, float], ...]:
    """Per tissue, how far this patient's PD, T1, T2 and gadolinium deviate; tumours vary most."""
    factors = np.exp(rng.normal(0, (0.03, 0.05, 0.07, 0.2), (len(Tissue), 4)))
    factors[Tissue.TUMOUR] = (1, rng.uniform(0.85, 1.2), rng.uniform(0.75, 1.4), rng.uniform(0.67, 1.33))
    return tuple(tuple(float(f) for f in row) for row in factors)


def sample_subject(seed: int, index: int, head: str = "colin27") -> Subject:
    """Draw subject number `index` of the simulation `seed`; the same numbers give the same subject."""
    rng = np.random.default_rng([seed, index])
    return Subject(
        index=index,
        head=head,
        seed=int(rng.integers(2**31)),
        rotation=tuple(float(a) for a in rng.normal(0, (2.0, 2.0, 3.0))),
        scale=(float(rng.uniform(0.99, 1.02)), *(float(s) for s in rng.uniform(0.95, 1.06, 2))),
        translation=tuple(float(t) for t in rng.normal(0, (1.0, 1.5, 1.0))),
        warp=float(rng.uniform(0.6, 1.4)),
        cochlea_size=float(rng.uniform(0.94, 1.06)),
        pneumatisation=float(rng.uniform(0.2, 1.0)),
        artery_loop=float(rng.uniform(0, 0.6)),
        effusion=float(max(rng.uniform(-0.8, 0.5), 0)),
        property_factors=sample_property_factors(rng),
        tumour=sample_tumour(rng),
    )
