"""The scanner: from anatomy and scan parameters to an image."""

import numpy as np
from scipy.ndimage import gaussian_filter

from intrastyler_nnunet.simulation.grid import Grid, block_mean, smooth_field
from intrastyler_nnunet.simulation.head import head_signal, load_head
from intrastyler_nnunet.simulation.painting import paint_signals
from intrastyler_nnunet.simulation.patient import Anatomy, build_anatomy
from intrastyler_nnunet.simulation.protocols import Scan
from intrastyler_nnunet.simulation.signals import SEQUENCES, enhanced
from intrastyler_nnunet.simulation.subject import Subject
from intrastyler_nnunet.simulation.tissues import Tissue, tabulated_properties

FWHM = 2 * np.sqrt(2 * np.log(2))  # full width at half maximum of a Gaussian of unit standard deviation
BIAS_KNOTS = 70.0  # mm between the knots of the receive field
OFF_RESONANCE_KNOTS = 30.0  # mm between the knots of the static field
BAND_PROFILES = 2
BIAS, NOISE, OFF_RESONANCE = range(3)  # keys of a scan's random numbers


def render(subject: Subject, scan: Scan, grid: Grid) -> np.ndarray:
    """Image (x, y, z), float32, of `subject` in `scan`."""
    return scan_anatomy(build_anatomy(subject, grid), scan)


def render_pair(subject: Subject, source: Scan, target: Scan, grid: Grid) -> tuple[np.ndarray, np.ndarray, Anatomy]:
    """One subject in two scans, e.g. ceT1 and an exemplar's T2: two images (x, y, z), and the anatomy."""
    anatomy = build_anatomy(subject, grid)
    return scan_anatomy(anatomy, source), scan_anatomy(anatomy, target), anatomy


def scan_anatomy(anatomy: Anatomy, scan: Scan) -> np.ndarray:
    """Image (x, y, z), float32, of the anatomy in this scan."""
    signals = tissue_signals(anatomy.subject, scan)
    image = banded(anatomy, scan) if scan.off_resonance else partial_volumes(anatomy, scan, signals)
    image = image * np.exp(scan.bias * smooth_field(anatomy.grid, BIAS_KNOTS, (scan.seed, BIAS)))
    noise = correlated_noise(scan, anatomy.grid, np.random.default_rng([scan.seed, NOISE]))
    deviation = signals[Tissue.GREY_MATTER] / scan.snr
    return (scan.gain * rician(image, noise, deviation)).astype(np.float32)


def partial_volumes(anatomy: Anatomy, scan: Scan, signals: np.ndarray) -> np.ndarray:
    """The image (x, y, z) that tissues of these `signals` give at the scan's resolution; linear in them."""
    volume = head_signal(load_head(anatomy.subject.head), anatomy.slab_coordinates, signals)
    paint_signals(volume, anatomy.layers, signals)
    volume = volume.reshape(anatomy.fine.shape)
    volume = gaussian_filter(volume, point_spread(scan, anatomy.fine), mode="nearest", truncate=3.0)
    return block_mean(volume, anatomy.factors)


def banded(anatomy: Anatomy, scan: Scan) -> np.ndarray:
    """The image (x, y, z) of a balanced sequence in a field that is off resonance, with its dark bands.

    Tissues' signals as functions of the precession between pulses are, to about a hundredth, sums of `BAND_PROFILES`
    profiles; so as many images, each weighted by its profile at the precession of every voxel, add up to the banded
    one.
    """
    angles = np.linspace(0, np.pi, 181)
    table = np.stack([tissue_signals(anatomy.subject, scan, precession=float(angle)) for angle in angles])
    profiles, strengths, mixtures = np.linalg.svd(table, full_matrices=False)
    hertz = scan.off_resonance * smooth_field(anatomy.grid, OFF_RESONANCE_KNOTS, (scan.seed, OFF_RESONANCE))
    precession = 2 * np.pi * hertz * scan.tr / 1000
    folded = np.abs((precession + np.pi) % (2 * np.pi) - np.pi)  # the signal is even in it and repeats after a turn
    image = np.zeros(anatomy.grid.shape, dtype=np.float32)
    for number in range(BAND_PROFILES):
        weight = np.interp(folded, angles, profiles[:, number] * strengths[number]).astype(np.float32)
        image += weight * partial_volumes(anatomy, scan, mixtures[number])
    return np.maximum(image, 0)


def tissue_signals(subject: Subject, scan: Scan, **sequence_options: float) -> np.ndarray:
    """Signal of every `Tissue` of this patient in this scan, in units of the magnetisation of free water."""
    properties = tabulated_properties(np.array(subject.property_factors), scan.field_strength)
    t1, t2 = properties.t1, properties.t2
    if scan.contrast_agent:
        t1, t2 = enhanced(t1, t2, properties.gadolinium)
    sequence = SEQUENCES[scan.sequence]
    timing = {"tr": scan.tr, "te": scan.te, "flip": scan.flip}
    signals = sequence(properties.proton_density, t1, t2, **timing, **sequence_options)
    signals[Tissue.BLOOD] *= scan.flow_signal
    signals[Tissue.PULSATING_CSF] *= 1 - scan.pulsation
    return signals


def point_spread(scan: Scan, grid: Grid) -> tuple[float, float, float]:
    """Standard deviation, in voxels of `grid`, of the blur that brings the grid to the scan's resolution."""
    resolution = (scan.in_plane, scan.in_plane, scan.slice_thickness)
    return tuple(float(np.sqrt(max(r**2 - s**2, 0)) / FWHM / s) for r, s in zip(resolution, grid.spacing, strict=True))


def correlated_noise(scan: Scan, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Complex normal noise (x, y, z), unit variance in each part, as coarse as the scan's resolution."""
    sigma = point_spread(scan, grid)
    parts = []
    for _ in range(2):
        part = gaussian_filter(rng.standard_normal(grid.shape, dtype=np.float32), sigma, mode="wrap")
        parts.append(part / part.std())
    return parts[0] + 1j * parts[1]


def rician(signal: np.ndarray, noise: np.ndarray, deviation: float) -> np.ndarray:
    """Magnitude image: modulus of `signal` plus complex unit `noise` of standard deviation `deviation` per part."""
    return np.abs(signal + deviation * noise)
