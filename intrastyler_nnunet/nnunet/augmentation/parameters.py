"""Random parameters of intensity augmentation, drawn on the CPU apart from their application.

Probabilities and ranges are read from the trainer's own transforms (batchgeneratorsv2), whatever pipeline it has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.brightness import (
    BrightnessAdditiveTransform,
    MultiplicativeBrightnessTransform,
)
from batchgeneratorsv2.transforms.intensity.contrast import BGContrast, ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.random import OneOfTransform, RandomTransform


@dataclass(frozen=True, eq=False)
class IntensityChange:
    """One transform and what a batch's draw does with it. B samples, C image channels, D spatial axes.

    Attributes:
        transform: of batchgeneratorsv2.
        samples: (B,) bool, those that it changes.
        values: NaN where an image is left alone; None for a transform that draws for itself (see `is_batched`).
            GaussianNoise, GaussianBlur: standard deviation, (B, C) and (B, C, D) in voxels. MultiplicativeBrightness,
            Contrast: factor (B, C), the latter about the image's mean. BrightnessAdditive: summand (B, C).
            SimulateLowResolution: fraction of the voxels kept along each axis (B, C, D). Gamma: exponent (B, C),
            negative where it is applied to the negative image.
    """

    transform: BasicTransform
    samples: np.ndarray
    values: np.ndarray | None


@dataclass(frozen=True, eq=False)
class IntensityParameters:
    """One batch's draw: the changes in their order, and the seed of random numbers drawn in applying them."""

    seed: int
    changes: tuple[IntensityChange, ...]


def sample_intensity_parameters(
    rng: np.random.Generator, transforms: Sequence[BasicTransform], samples: int, channels: int, axes: int
) -> IntensityParameters:
    """Draw the parameters of a batch.

    Args:
        rng: the only source of randomness.
        transforms: image-only transforms in their order, within RandomTransform, OneOfTransform and ComposeTransforms.
        samples, channels, axes: B, C and D.
    """
    seed = int(rng.integers(2**63))
    everyone = np.ones(samples, bool)
    chosen = [pair for transform in transforms for pair in _chosen(rng, transform, everyone)]
    changes = (
        IntensityChange(leaf, active, _values(rng, leaf, active, channels, axes) if is_batched(leaf) else None)
        for leaf, active in chosen
    )
    return IntensityParameters(seed, tuple(changes))


def is_batched(transform: BasicTransform) -> bool:
    """Whether `intensity` computes this transform for a whole batch on the training device."""
    kind = type(transform)
    if kind is GammaTransform:
        return transform.p_retain_stats == 1 and _is_range(transform.gamma)
    if kind is SimulateLowResolutionTransform:
        return transform.allowed_channels is None and _is_range(transform.scale)
    if kind is BrightnessAdditiveTransform:
        return isinstance(transform.mu, int | float) and isinstance(transform.sigma, int | float)
    return kind in RANGES and _is_range(getattr(transform, RANGES[kind]))


def leaves(transform: BasicTransform) -> list[BasicTransform]:
    """The transforms within RandomTransform, OneOfTransform and ComposeTransforms."""
    if isinstance(transform, RandomTransform):
        return leaves(transform.transform)
    if isinstance(transform, OneOfTransform | ComposeTransforms):
        inner = transform.transforms if isinstance(transform, ComposeTransforms) else transform.list_of_transforms
        return [leaf for part in inner for leaf in leaves(part)]
    return [transform]


# Of transforms that draw one number for an image, or one for each of its axes: the attribute with its range.
RANGES = {
    GaussianNoiseTransform: "noise_variance",  # of standard deviations, whatever it is called
    GaussianBlurTransform: "blur_sigma",
    MultiplicativeBrightnessTransform: "multiplier_range",
    ContrastTransform: "contrast_range",
    SimulateLowResolutionTransform: "scale",
    GammaTransform: "gamma",
}


def _chosen(
    rng: np.random.Generator, transform: BasicTransform, active: np.ndarray
) -> Iterator[tuple[BasicTransform, np.ndarray]]:
    """The leaves of a transform and the (B,) samples that each of them changes."""
    if isinstance(transform, RandomTransform):
        applied = rng.random(len(active)) < transform.apply_probability
        yield from _chosen(rng, transform.transform, active & applied)
    elif isinstance(transform, OneOfTransform):
        number = rng.integers(len(transform.list_of_transforms), size=len(active))
        for index, inner in enumerate(transform.list_of_transforms):
            yield from _chosen(rng, inner, active & (number == index))
    elif isinstance(transform, ComposeTransforms):
        for inner in transform.transforms:
            yield from _chosen(rng, inner, active)
    else:
        yield transform, active


def _values(
    rng: np.random.Generator, transform: BasicTransform, active: np.ndarray, channels: int, axes: int
) -> np.ndarray:
    """`IntensityChange.values` of a transform that `is_batched`."""
    samples = len(active)
    shared = transform.synchronize_channels
    shape: tuple[int, ...] = (samples, 1 if shared else channels)
    if isinstance(transform, BrightnessAdditiveTransform):
        draw = rng.uniform if shared else rng.normal  # as batchgeneratorsv2 does
        values = draw(transform.mu, transform.sigma, shape)
    elif isinstance(transform, GaussianBlurTransform | SimulateLowResolutionTransform):
        values = _drawn(rng, _range_of(transform), (*shape, 1 if transform.synchronize_axes else axes))
        values = np.repeat(values, axes // values.shape[-1], axis=-1)
        if getattr(transform, "ignore_axes", None) is not None:
            values[..., transform.ignore_axes] = 1.0
    else:
        values = _drawn(rng, _range_of(transform), shape)
    if isinstance(transform, GammaTransform):
        inverted = rng.random((samples, channels)) < transform.p_invert_image
        values = np.where(inverted, -values, values)
    applied = active[:, None] & (rng.random((samples, channels)) < transform.p_per_channel)
    applied = applied.reshape(samples, channels, *[1] * (values.ndim - 2))
    return np.where(applied, values, np.nan)


def _range_of(transform: BasicTransform):
    return getattr(transform, RANGES[type(transform)])


def _is_range(limits) -> bool:
    """Whether `limits` is a number, a pair of them or a BGContrast of a pair; other callables draw for themselves."""
    if type(limits) is BGContrast:
        limits = limits.contrast_range
        return isinstance(limits, list | tuple)
    return isinstance(limits, int | float | list | tuple)


def _drawn(rng: np.random.Generator, limits, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from a range of batchgeneratorsv2: constant, uniform, or (BGContrast) on either side of 1 equally."""
    if isinstance(limits, int | float):
        return np.full(shape, float(limits))
    if not isinstance(limits, BGContrast):
        return rng.uniform(*limits, shape)
    low, high = limits.contrast_range
    above = rng.uniform(max(low, 1.0), high, shape)
    return np.where((rng.random(shape) < 0.5) & (low < 1), rng.uniform(min(low, 1.0), 1.0, shape), above)
