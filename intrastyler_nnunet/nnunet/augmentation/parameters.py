"""Random parameters of nnU-Net's intensity augmentation, drawn on the CPU apart from their application.

Probabilities and ranges are those of `nnUNetTrainer.get_training_transforms` in nnU-Net 2.8
(Isensee et al., Nature Methods 18, 2021, supplementary note 4).
"""

from dataclasses import dataclass

import numpy as np

NOISE_PROBABILITY, NOISE_SIGMA = 0.1, (0.0, 0.1)
BLUR_PROBABILITY, BLUR_SIGMA = 0.2, (0.5, 1.0)
BRIGHTNESS_PROBABILITY, BRIGHTNESS_FACTOR = 0.15, (0.75, 1.25)
CONTRAST_PROBABILITY, CONTRAST_FACTOR = 0.15, (0.75, 1.25)
LOW_RESOLUTION_PROBABILITY, LOW_RESOLUTION_SCALE = 0.25, (0.5, 1.0)
INVERTED_GAMMA_PROBABILITY, GAMMA_PROBABILITY, GAMMA_EXPONENT = 0.1, 0.3, (0.7, 1.5)
# Blur and low resolution, once drawn for a sample, hit each of its channels with this probability.
CHANNEL_PROBABILITY = 0.5


@dataclass(frozen=True, eq=False)
class IntensityParameters:
    """One batch's draw. B samples, C image channels, D spatial axes; NaN where an image is left alone."""

    noise_seed: int  # of the voxels' noise
    noise: np.ndarray  # (B, C) standard deviation of additive Gaussian noise
    blur: np.ndarray  # (B, C, D) standard deviation of the Gaussian, in voxels
    brightness: np.ndarray  # (B, C) factor
    contrast: np.ndarray  # (B, C) factor about the image's mean
    low_resolution: np.ndarray  # (B, C, D) fraction of the voxels kept along each axis
    inverted_gamma: np.ndarray  # (B, C) exponent applied to the negative image
    gamma: np.ndarray  # (B, C) exponent


def sample_intensity_parameters(
    rng: np.random.Generator,
    samples: int,
    channels: int,
    axes: int,
    through_plane_low_resolution: bool = True,
) -> IntensityParameters:
    """Draw the parameters of a batch.

    Args:
        rng: the only source of randomness.
        samples, channels, axes: B, C and D.
        through_plane_low_resolution: False keeps the resolution of axis 0, as nnU-Net does for strongly
            anisotropic patches (its "dummy 2D" augmentation).
    """
    shape = (samples, channels)
    noise = _where_applied(rng, NOISE_PROBABILITY, shape, rng.uniform(*NOISE_SIGMA, (samples, 1)))
    blur = _where_applied(
        rng, BLUR_PROBABILITY, (*shape, axes), rng.uniform(*BLUR_SIGMA, (*shape, axes)), CHANNEL_PROBABILITY
    )
    brightness = _where_applied(rng, BRIGHTNESS_PROBABILITY, shape, _factors(rng, BRIGHTNESS_FACTOR, shape))
    contrast = _where_applied(rng, CONTRAST_PROBABILITY, shape, _factors(rng, CONTRAST_FACTOR, shape))
    scale = np.repeat(rng.uniform(*LOW_RESOLUTION_SCALE, (*shape, 1)), axes, axis=-1)
    if not through_plane_low_resolution:
        scale[..., 0] = 1.0
    low_resolution = _where_applied(rng, LOW_RESOLUTION_PROBABILITY, (*shape, axes), scale, CHANNEL_PROBABILITY)
    inverted_gamma, gamma = (
        _where_applied(rng, probability, shape, _factors(rng, GAMMA_EXPONENT, shape))
        for probability in (INVERTED_GAMMA_PROBABILITY, GAMMA_PROBABILITY)
    )
    return IntensityParameters(
        noise_seed=int(rng.integers(2**63)),
        noise=noise,
        blur=blur,
        brightness=brightness,
        contrast=contrast,
        low_resolution=low_resolution,
        inverted_gamma=inverted_gamma,
        gamma=gamma,
    )


def _where_applied(
    rng: np.random.Generator,
    sample_probability: float,
    shape: tuple[int, ...],
    values: np.ndarray,
    channel_probability: float = 1.0,
) -> np.ndarray:
    """`values` broadcast to `shape`, NaN in the samples and channels that the draw leaves alone."""
    samples, channels = shape[:2]
    applied = rng.random((samples, 1)) < sample_probability
    applied = applied & (rng.random((samples, channels)) < channel_probability)
    applied = applied.reshape(samples, channels, *[1] * (len(shape) - 2))
    return np.where(applied, values, np.nan)


def _factors(rng: np.random.Generator, limits: tuple[float, float], shape: tuple[int, ...]) -> np.ndarray:
    """Factors below and above 1 with probability one half each, uniform on either side."""
    low, high = limits
    return np.where(rng.random(shape) < 0.5, rng.uniform(low, 1.0, shape), rng.uniform(1.0, high, shape))
