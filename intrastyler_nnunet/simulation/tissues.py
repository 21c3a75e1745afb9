"""Tissue classes of the head and their magnetic properties at 3 T."""
from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Tissue(IntEnum):
    """Class index of a tissue in the head slabs and in tissue maps."""

    BONE_OR_AIR = 0
    CSF = 1
    GREY_MATTER = 2
    WHITE_MATTER = 3
    MARROW = 4
    FAT = 5
    MUSCLE = 6
    MUCOSA = 7
    BLOOD = 8
    INNER_EAR_FLUID = 9
    TUMOUR = 10
    TUMOUR_CYST = 11


@dataclass(frozen=True)
class TissueProperties:
    """Magnetic properties of one tissue."""

    proton_density: float  # relative to free water, 0..1
    t1: float  # ms
    t2: float  # ms
    gadolinium: float = 0.0  # mM some minutes after a standard dose


# Proton density, T1 and T2 at 3 T: Stanisz et al., Magn Reson Med 54:507 (2005), for brain, muscle, marrow and blood;
# Lu et al., J Magn Reson Imaging 22:13 (2005), for proton density and CSF; de Bazelaire et al., Radiology 230:652
# (2004), for fat. Cortical bone keeps the faint signal of its water. Inner-ear fluid lies between CSF and
# the protein-rich perilymph; vestibular schwannoma is like grey matter with a longer T2.
PROPERTIES: dict[Tissue, TissueProperties] = {
    Tissue.BONE_OR_AIR: TissueProperties(0.05, 600, 3),
    Tissue.CSF: TissueProperties(1.0, 4000, 1500),
    Tissue.GREY_MATTER: TissueProperties(0.82, 1300, 95, 0.01),
    Tissue.WHITE_MATTER: TissueProperties(0.70, 830, 78, 0.005),
    Tissue.MARROW: TissueProperties(0.25, 500, 45, 0.05),
    Tissue.FAT: TissueProperties(0.90, 340, 85),
    Tissue.MUSCLE: TissueProperties(0.75, 1100, 38, 0.08),
    Tissue.MUCOSA: TissueProperties(0.85, 1300, 90, 0.6),
    Tissue.BLOOD: TissueProperties(0.85, 1700, 60, 0.9),
    Tissue.INNER_EAR_FLUID: TissueProperties(0.90, 3200, 700),
    Tissue.TUMOUR: TissueProperties(0.85, 1350, 110, 0.75),
    Tissue.TUMOUR_CYST: TissueProperties(0.92, 2200, 300, 0.15),
}


def property_arrays(properties: dict[Tissue, TissueProperties]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Proton density, T1 (ms), T2 (ms) and gadolinium (mM) as arrays indexed by `Tissue`."""
    rows = [properties[tissue] for tissue in Tissue]
    return tuple(
        np.array([getattr(row, name) for row in rows], dtype=np.float64)
        for name in ("proton_density", "t1", "t2", "gadolinium")
    )
