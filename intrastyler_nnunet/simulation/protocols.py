"""Scanners with their protocols, and the scans they make.

A scanner's parameters are ranges; every scan draws its own values from them. Which scanners a hospital, or a set of
hospitals, has is said in `sites`.
"""

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


RANGES = (
    "tr",
    "te",
    "flip",
    "in_plane",
    "slice_thickness",
    "snr",
    "bias",
    "flow_signal",
    "gain",
    "pulsation",
    "off_resonance",
)


@dataclass(frozen=True)
class Scan:
    """The parameters of one image: a draw from a `Scanner`. Plain numbers, so that it can be kept as JSON."""

    site: str  # the sub-dataset
    scanner: str
    sequence: str
    field_strength: float
    tr: float
    te: float
    flip: float
    in_plane: float
    slice_thickness: float
    snr: float
    bias: float
    flow_signal: float
    gain: float
    pulsation: float
    off_resonance: float
    contrast_agent: bool
    seed: int  # of bias field and noise


@dataclass(frozen=True)
class Scanner:
    """A scanner and its protocol: the ranges its scans are drawn from."""

    sequence: str  # key of signals.SEQUENCES
    field_strength: float  # T
    tr: Range  # ms
    te: Range  # ms
    flip: Range  # degrees
    in_plane: Range  # mm, resolution (full width at half maximum of the point spread)
    slice_thickness: Range  # mm
    snr: Range  # grey matter over the standard deviation of the noise
    bias: Range  # standard deviation of the logarithm of the coil's receive field
    flow_signal: Range  # what flow leaves of the signal of blood
    gain: Range  # intensity of the magnetisation of free water
    pulsation: Range = (0.0, 0.0)  # what pulsation takes of the signal of CSF in the midline cisterns
    off_resonance: Range = (0.0, 0.0)  # Hz, standard deviation over the head, of a balanced sequence that shows bands
    contrast_agent: bool = False

    def sample(self, rng: np.random.Generator, site: str, name: str) -> Scan:
        """Draw the parameters of one scan, uniformly from the ranges; `site` and `name` are kept with them."""
        values = {parameter: round(float(rng.uniform(*getattr(self, parameter))), 4) for parameter in RANGES}
        return self._scan(site, name, int(rng.integers(2**31)), values)

    def typical(self, site: str, name: str, seed: int) -> Scan:
        """The scan in the middle of all ranges; `seed` is that of bias field and noise."""
        return self._scan(
            site, name, seed, {parameter: float(np.mean(getattr(self, parameter))) for parameter in RANGES}
        )

    def _scan(self, site: str, name: str, seed: int, values: dict[str, float]) -> Scan:
        fixed = {key: getattr(self, key) for key in ("sequence", "field_strength", "contrast_agent")}
        return Scan(site=site, scanner=name, seed=seed, **fixed, **values)


# Field strengths (1.0, 1.5 and 3.0 T), sequences and slices (0.78 to 3.5 mm) are those that the challenge's three
# sub-datasets report (Kujawa et al., Front Comput Neurosci 18:1365727 (2024); Wijethilake et al., arXiv:2506.12006);
# signal to noise and receive fields are chosen to look like them. Constructive interference combines two
# balanced acquisitions so that no bands are left (Casselman et al., AJNR 14:47 (1993)); one alone has them. CSF that
# pulsates loses signal in spin echoes, least in balanced sequences (Lisanti et al., AJR 188:716 (2007)).
SCANNERS: dict[str, Scanner] = {
    "a_gradient_echo_3t": Scanner(
        "spoiled_gradient_echo", 3.0, tr=(16, 26), te=(2.5, 4.5), flip=(20, 30), in_plane=(0.5, 0.9),
        slice_thickness=(1.0, 1.6), snr=(16, 30), bias=(0.05, 0.15), flow_signal=(0.8, 1.0), gain=(3000, 6000),
        contrast_agent=True,
    ),
    "a_gradient_echo_15t": Scanner(
        "spoiled_gradient_echo", 1.5, tr=(9, 14), te=(2.5, 4.5), flip=(15, 22), in_plane=(0.6, 1.0),
        slice_thickness=(0.9, 1.5), snr=(12, 22), bias=(0.04, 0.12), flow_signal=(0.8, 1.0), gain=(2000, 5000),
        contrast_agent=True,
    ),
    "b_spin_echo_15t": Scanner(
        "spin_echo", 1.5, tr=(420, 720), te=(9, 16), flip=(90, 90), in_plane=(0.8, 1.2), slice_thickness=(1.5, 3.0),
        snr=(12, 24), bias=(0.08, 0.2), flow_signal=(0.1, 0.5), gain=(1000, 2500), contrast_agent=True,
    ),
    "b_spin_echo_1t": Scanner(
        "spin_echo", 1.0, tr=(400, 600), te=(12, 20), flip=(90, 90), in_plane=(0.8, 1.2), slice_thickness=(2.0, 3.5),
        snr=(10, 20), bias=(0.05, 0.15), flow_signal=(0.1, 0.5), gain=(800, 2000), contrast_agent=True,
    ),
    "a_constructive_3t": Scanner(
        "balanced_ssfp", 3.0, tr=(6, 11), te=(3, 5), flip=(45, 70), in_plane=(0.5, 0.8), slice_thickness=(0.8, 1.3),
        snr=(7, 14), bias=(0.05, 0.15), flow_signal=(0.5, 1.0), gain=(1500, 3500),
        pulsation=(0.0, 0.15),
    ),
    "a_balanced_15t": Scanner(
        "balanced_ssfp", 1.5, tr=(8, 12), te=(4, 5.5), flip=(50, 75), in_plane=(0.5, 0.8), slice_thickness=(1.0, 1.5),
        snr=(6, 12), bias=(0.05, 0.15), flow_signal=(0.5, 1.0), gain=(1000, 3000),
        pulsation=(0.0, 0.15), off_resonance=(12, 25),
    ),
    "b_turbo_15t": Scanner(
        "turbo_spin_echo", 1.5, tr=(2400, 3200), te=(150, 200), flip=(90, 90), in_plane=(0.5, 0.9),
        slice_thickness=(1.0, 1.5), snr=(6, 13), bias=(0.08, 0.22), flow_signal=(0.0, 0.15), gain=(500, 1200),
        pulsation=(0.2, 0.6),
    ),
    "b_turbo_3t": Scanner(
        "turbo_spin_echo", 3.0, tr=(2500, 4500), te=(180, 250), flip=(90, 90), in_plane=(0.6, 1.0),
        slice_thickness=(1.0, 1.8), snr=(5, 11), bias=(0.1, 0.22), flow_signal=(0.0, 0.15), gain=(500, 1500),
        pulsation=(0.2, 0.6),
    ),
    "m_constructive_15t": Scanner(
        "balanced_ssfp", 1.5, tr=(9, 12), te=(4, 5.5), flip=(50, 70), in_plane=(0.5, 0.8), slice_thickness=(0.78, 1.2),
        snr=(6, 14), bias=(0.05, 0.2), flow_signal=(0.5, 1.0), gain=(1000, 3500),
        pulsation=(0.0, 0.15),
    ),
    "m_balanced_low_flip_3t": Scanner(
        "balanced_ssfp", 3.0, tr=(5, 8), te=(2, 3.5), flip=(20, 32), in_plane=(0.6, 0.9), slice_thickness=(0.8, 1.4),
        snr=(10, 20), bias=(0.1, 0.25), flow_signal=(0.5, 1.0), gain=(1500, 3500),
        pulsation=(0.0, 0.15), off_resonance=(25, 50),
    ),
    "m_turbo_late_15t": Scanner(
        "turbo_spin_echo", 1.5, tr=(2500, 4500), te=(250, 350), flip=(90, 90), in_plane=(0.6, 1.0),
        slice_thickness=(0.9, 1.6), snr=(4, 9), bias=(0.05, 0.2), flow_signal=(0.0, 0.15), gain=(500, 1500),
        pulsation=(0.2, 0.6),
    ),
    "m_turbo_thick_1t": Scanner(
        "turbo_spin_echo", 1.0, tr=(3500, 6000), te=(80, 110), flip=(90, 90), in_plane=(0.8, 1.3),
        slice_thickness=(2.5, 3.5), snr=(10, 24), bias=(0.03, 0.12), flow_signal=(0.0, 0.15), gain=(500, 1500),
        pulsation=(0.3, 0.8),
    ),
    "m_turbo_early_3t": Scanner(
        "turbo_spin_echo", 3.0, tr=(4000, 6500), te=(35, 60), flip=(90, 90), in_plane=(0.7, 1.1),
        slice_thickness=(1.2, 2.2), snr=(10, 24), bias=(0.1, 0.25), flow_signal=(0.0, 0.3), gain=(700, 2000),
        pulsation=(0.3, 0.8),
    ),
    "interpolation_turbo_3t": Scanner(
        "turbo_spin_echo", 3.0, tr=(3000, 4200), te=(115, 145), flip=(90, 90), in_plane=(0.8, 1.3),
        slice_thickness=(1.5, 2.5), snr=(6, 11), bias=(0.1, 0.25), flow_signal=(0.0, 0.3), gain=(200, 600),
        pulsation=(0.2, 0.6),
    ),
    "extrapolation_turbo_3t": Scanner(
        "turbo_spin_echo", 3.0, tr=(4000, 6000), te=(450, 600), flip=(90, 90), in_plane=(0.5, 0.8),
        slice_thickness=(0.78, 1.2), snr=(1.0, 2.0), bias=(0.15, 0.3), flow_signal=(0.0, 0.1), gain=(300, 900),
        pulsation=(0.2, 0.6),
    ),
}  # fmt: skip
