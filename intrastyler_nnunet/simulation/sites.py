"""Sites: scanners with their protocols, and the scans they make.

A site's parameters are ranges; every scan draws its own values from them. That spread within one site is the
intra-domain variability the style encoder has to follow.
"""

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class Site:
    """A scanner and its protocol: the ranges its scans are drawn from."""

    domain: str  # "source" (ceT1) or "target" (T2)
    sequence: str  # key of signals.SEQUENCES
    tr: Range  # ms
    te: Range  # ms
    flip: Range  # degrees
    in_plane: Range  # mm, resolution (full width at half maximum of the point spread)
    slice_thickness: Range  # mm
    snr: Range  # grey matter over the standard deviation of the noise
    bias: Range  # standard deviation of the logarithm of the receive field
    flow_signal: Range  # what flow leaves of the signal of blood in large vessels
    gain: Range  # intensity of the magnetisation of free water
    contrast_agent: bool
    seen: bool = True  # False: the site appears in the test set only


@dataclass(frozen=True)
class Scan:
    """The parameters of one image: a draw from a `Site`. Plain numbers, so that it can be kept as JSON."""

    site: str
    sequence: str
    tr: float
    te: float
    flip: float
    in_plane: float
    slice_thickness: float
    snr: float
    bias: float
    flow_signal: float
    gain: float
    contrast_agent: bool
    seed: int  # of bias field and noise


SITES: dict[str, Site] = {
    "source_a": Site(
        "source",
        "spoiled_gradient_echo",
        tr=(16, 26),
        te=(2.5, 4.5),
        flip=(20, 30),
        in_plane=(0.5, 0.9),
        slice_thickness=(1.0, 1.6),
        snr=(16, 30),
        bias=(0.05, 0.15),
        flow_signal=(0.8, 1.0),
        gain=(3000, 6000),
        contrast_agent=True,
    ),
    "source_b": Site(
        "source",
        "spin_echo",
        tr=(420, 720),
        te=(9, 16),
        flip=(90, 90),
        in_plane=(0.8, 1.2),
        slice_thickness=(1.5, 3.0),
        snr=(12, 24),
        bias=(0.08, 0.2),
        flow_signal=(0.1, 0.5),
        gain=(1000, 2500),
        contrast_agent=True,
    ),
    "target_a": Site(
        "target",
        "balanced_ssfp",
        tr=(6, 11),
        te=(3, 5),
        flip=(50, 75),
        in_plane=(0.5, 0.8),
        slice_thickness=(0.8, 1.3),
        snr=(7, 14),
        bias=(0.05, 0.15),
        flow_signal=(0.5, 1.0),
        gain=(1500, 3500),
        contrast_agent=False,
    ),
    "target_b": Site(
        "target",
        "turbo_spin_echo",
        tr=(2500, 4500),
        te=(150, 250),
        flip=(90, 90),
        in_plane=(0.6, 1.0),
        slice_thickness=(1.0, 1.8),
        snr=(5, 10),
        bias=(0.1, 0.22),
        flow_signal=(0.0, 0.15),
        gain=(500, 1200),
        contrast_agent=False,
    ),
    "target_c": Site(
        "target",
        "turbo_spin_echo",
        tr=(3500, 6000),
        te=(60, 110),
        flip=(90, 90),
        in_plane=(0.9, 1.5),
        slice_thickness=(1.8, 3.2),
        snr=(14, 30),
        bias=(0.08, 0.2),
        flow_signal=(0.0, 0.15),
        gain=(700, 1500),
        contrast_agent=False,
    ),
    "target_d": Site(
        "target",
        "turbo_spin_echo",
        tr=(2000, 3000),
        te=(115, 145),
        flip=(90, 90),
        in_plane=(0.8, 1.3),
        slice_thickness=(1.5, 2.5),
        snr=(6, 11),
        bias=(0.15, 0.3),
        flow_signal=(0.0, 0.3),
        gain=(200, 600),
        contrast_agent=False,
        seen=False,
    ),
}

RANGES = ("tr", "te", "flip", "in_plane", "slice_thickness", "snr", "bias", "flow_signal", "gain")


def sample_scan(site: str, rng: np.random.Generator) -> Scan:
    """Draw the parameters of one scan of the site named `site`, uniformly from its ranges."""
    ranges = SITES[site]
    values = {name: round(float(rng.uniform(*getattr(ranges, name))), 4) for name in RANGES}
    return Scan(
        site=site,
        sequence=ranges.sequence,
        contrast_agent=ranges.contrast_agent,
        seed=int(rng.integers(2**31)),
        **values,
    )
