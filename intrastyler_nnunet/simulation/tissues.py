"""Tissue classes of the head and their magnetic properties, which depend on the field strength."""

from dataclasses import astuple, dataclass
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
    TUMOUR_NECROSIS = 12
    PULSATING_CSF = 13


@dataclass(frozen=True)
class TissueProperties:
    """Magnetic properties of one tissue; as arrays, of every tissue by class index."""

    proton_density: float | np.ndarray  # relative to free water, 0..1
    t1: float | np.ndarray  # ms
    t2: float | np.ndarray  # ms
    gadolinium: float | np.ndarray = 0.0  # mM some minutes after a standard dose
    t1_exponent: float | np.ndarray = 0.35  # T1 grows with this power of the field strength
    t2_exponent: float | np.ndarray = 0.0


REFERENCE_FIELD = 3.0  # T, at which PROPERTIES are tabulated
# Rounded from: Wansapura et al., J Magn Reson Imaging 9:531 (1999), grey and white matter; de Bazelaire et al.,
# Radiology 230:652 (2004), marrow, fat and muscle; Tofts, Quantitative MRI of the Brain (2003), proton density.
# Inner-ear fluid is perilymph and endolymph, richer in protein than CSF. Vestibular schwannoma is like grey matter
# with a longer T2. Cortical bone keeps the faint signal of its water; mucosa, blood, cysts and necrosis are
# estimates.
# T1 between 1 and 3 T: powers of the field by Rooney et al., Magn Reson Med 57:308 (2007), for grey and white matter,
# CSF (none) and blood; from the values of de Bazelaire et al. at 1.5 and 3 T for marrow and fat, of Stanisz et al.,
# Magn Reson Med 54:507 (2005), for muscle; like grey matter for the rest. T2 is the same at 1.5 and 3 T within the
# error of Stanisz et al. but for blood, where deoxyhaemoglobin shortens it the more the higher the field.
PROPERTIES: dict[Tissue, TissueProperties] = {
    Tissue.BONE_OR_AIR: TissueProperties(0.05, 600, 3),
    Tissue.CSF: TissueProperties(1.0, 4000, 1500, t1_exponent=0.0),
    Tissue.GREY_MATTER: TissueProperties(0.82, 1300, 95, 0.01, t1_exponent=0.376),
    Tissue.WHITE_MATTER: TissueProperties(0.70, 830, 78, 0.005, t1_exponent=0.382),
    Tissue.MARROW: TissueProperties(0.25, 500, 45, 0.05, t1_exponent=0.1),
    Tissue.FAT: TissueProperties(0.90, 340, 85, t1_exponent=0.16),
    Tissue.MUSCLE: TissueProperties(0.75, 1100, 38, 0.08, t1_exponent=0.49),
    Tissue.MUCOSA: TissueProperties(0.85, 1300, 90, 0.6),
    Tissue.BLOOD: TissueProperties(0.85, 1700, 60, 0.9, t1_exponent=0.34, t2_exponent=-0.9),
    Tissue.INNER_EAR_FLUID: TissueProperties(0.90, 3200, 700, t1_exponent=0.0),
    Tissue.TUMOUR: TissueProperties(0.88, 1300, 120, 0.75),
    Tissue.TUMOUR_CYST: TissueProperties(0.92, 2200, 300, 0.15),
    Tissue.TUMOUR_NECROSIS: TissueProperties(0.90, 1700, 190, 0.2),
    Tissue.PULSATING_CSF: TissueProperties(1.0, 4000, 1500, t1_exponent=0.0),
}
TABLE = np.array([astuple(PROPERTIES[tissue]) for tissue in Tissue])


def tabulated_properties(factors: np.ndarray, field_strength: float = REFERENCE_FIELD) -> TissueProperties:
    """Properties of all tissues by class index at a field strength (T).

    `factors` (tissues, 4) multiply PD, T1, T2 and gadolinium.
    """
    density, t1, t2, gadolinium = (TABLE[:, :4] * factors).T
    t1_exponent, t2_exponent = TABLE[:, 4:].T
    relative = field_strength / REFERENCE_FIELD
    return TissueProperties(
        density, t1 * relative**t1_exponent, t2 * relative**t2_exponent, gadolinium, t1_exponent, t2_exponent
    )
