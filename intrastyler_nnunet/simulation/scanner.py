"""The scanner: from anatomy and scan parameters to an image."""
import numpy as np
from scipy.ndimage import gaussian_filter

from intrastyler_nnunet.simulation.anatomy import Anatomy, head_signal
from intrastyler_nnunet.simulation.grid import Grid, block_mean, smooth_field
from intrastyler_nnunet.simulation.signals import SEQUENCES, enhanced
from intrastyler_nnunet.simulation.sites import Scan
from intrastyler_nnunet.simulation.subject import Subject
from intrastyler_nnunet.simulation.tissues import PROPERTIES, Tissue, property_arrays

FWHM = 2 * np.sqrt(2 * np.log(2))  # full width at half maximum of a Gaussian of unit standard deviation


def tissue_signals(subject: Subject, scan: Scan) -> np.ndarray:
    """Signal of every `Tissue` of this patient in this scan, in units of the magnetisation of free water."""
    proton_density, t1, t2, gadolinium = (
        values * factors
        for values, factors in zip(property_arrays(PROPERTIES), np.array(subject.property_factors).T, strict=True)
    )
    if scan.contrast_agent:
        t1, t2 = enhanced(t1, t2, gadolinium)
    signal = SEQUENCES[scan.sequence](proton_density, t1, t2, tr=scan.tr, te=scan.te, flip=scan.flip)
    signal[Tissue.BLOOD] *= scan.flow_signal
    return signal


def point_spread(scan: Scan, grid: Grid) -> tuple[float, float, float]:
    """Standard deviation, in voxels of `grid`, of the blur that brings the grid to the scan's resolution."""
    resolution = (scan.in_plane, scan.in_plane, scan.slice_thickness)
    return tuple(
        float(np.sqrt(max(r**2 - s**2, 0)) / FWHM / s) for r, s in zip(resolution, grid.spacing, strict=True)
    )


def noise(scan: Scan, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Complex normal noise (x, y, z), unit variance in each part, as coarse as the scan's resolution."""
    sigma = point_spread(scan, grid)
    parts = []
    for _ in range(2):
        part = gaussian_filter(rng.standard_normal(grid.shape, dtype=np.float32), sigma, mode="wrap")
        parts.append(part / part.std())
    return parts[0] + 1j * parts[1]


def rician(signal: np.ndarray, noise: np.ndarray, deviation: float) -> np.ndarray:
    """Magnitude image: the modulus of `signal` plus complex `noise` of standard deviation `deviation` in each part."""
    return np.abs(signal + deviation * noise)


def scan_anatomy(anatomy: Anatomy, scan: Scan) -> np.ndarray:
    """Image (x, y, z), float32, of the anatomy in this scan."""
    signals = tissue_signals(anatomy.subject, scan)
    volume = head_signal(anatomy, signals)
    for layer in anatomy.layers:
        volume[layer.index] += layer.coverage * (np.float32(signals[layer.tissue]) - volume[layer.index])
    volume = volume.reshape(anatomy.fine.shape)
    volume = gaussian_filter(volume, point_spread(scan, anatomy.fine), mode="nearest", truncate=3.0)
    image = block_mean(volume, anatomy.factors)
    image = image * np.exp(scan.bias * smooth_field(anatomy.grid, 70.0, (scan.seed, 0)))
    deviation = signals[Tissue.GREY_MATTER] / scan.snr
    image = rician(image, noise(scan, anatomy.grid, np.random.default_rng([scan.seed, 1])), deviation)
    return (scan.gain * image).astype(np.float32)
