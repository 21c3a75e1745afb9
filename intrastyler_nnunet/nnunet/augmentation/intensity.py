"""Intensity augmentation after translation: batched on the training device where it can be.

It follows the translation, so it cannot stay in nnU-Net's workers. Formulas are those of the transforms in
batchgeneratorsv2; nothing batched here reads a value back from the device. Other transforms of a trainer run as they
are, on the CPU, on the samples that drew them.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.brightness import (
    BrightnessAdditiveTransform,
    MultiplicativeBrightnessTransform,
)
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform

from intrastyler_nnunet.devices import moved_together
from intrastyler_nnunet.nnunet.augmentation.axis_maps import (
    apply_along_axes,
    gaussian_blur_matrix,
    low_resolution_matrix,
)
from intrastyler_nnunet.nnunet.augmentation.parameters import IntensityChange, IntensityParameters

EPSILON = 1e-7


def augment_intensity(
    images: torch.Tensor,
    parameters: IntensityParameters,
    channels: int,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Apply `parameters` to the first `channels` channels; further channels, and the input itself, stay as they are.

    Args:
        images: (B, C or more, *spatial) in nnU-Net space.
        parameters: drawn by `sample_intensity_parameters` for B samples and C channels.
        channels: C, the image channels.
        generator: on the images' device; reseeded with the parameters' seed. None: one is made here.
    """
    generator = generator or torch.Generator(images.device)
    generator.manual_seed(parameters.seed)
    images = images.clone()
    prepared = [_prepared(change, images.shape[2:]) for change in parameters.changes]
    moved = iter(moved_together([tensor for tensors in prepared for tensor in tensors], images.device))
    for number, (change, tensors) in enumerate(zip(parameters.changes, prepared, strict=True)):
        if change.values is None:
            _apply_on_cpu(images, change, channels, [parameters.seed, number])
        elif tensors:
            sample, channel, *values = (next(moved) for _ in tensors)
            changed = CHANGES[type(change.transform)]
            images[sample, channel] = changed(images[sample, channel], values, change.transform, generator)
    return images


def _prepared(change: IntensityChange, shape: Sequence[int]) -> list[torch.Tensor]:
    """Indices (N,) of the images to change, sample and channel, and what each is changed by; empty for none.

    The latter is (N,), or one (N, length, length) matrix for each axis of length `length`.
    """
    if change.values is None:
        return []
    chosen = ~np.isnan(change.values.reshape(*change.values.shape[:2], -1)).any(axis=-1)
    if not chosen.any():
        return []
    values = change.values[chosen]
    matrix = MATRICES.get(type(change.transform))
    if matrix is None:
        drawn = [torch.from_numpy(values.astype(np.float32))]
    else:
        drawn = [torch.stack([matrix(length, value) for value in values[:, axis]]) for axis, length in enumerate(shape)]
    return [*(torch.from_numpy(index) for index in chosen.nonzero()), *drawn]


def _apply_on_cpu(images: torch.Tensor, change: IntensityChange, channels: int, seed: list[int]) -> None:
    """Let the transform draw and work by itself, in place, from random numbers of its own."""
    for sample in np.flatnonzero(change.samples):
        state, places = np.random.default_rng([*seed, sample]), np.random.get_state()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(state.integers(2**63)))
            np.random.seed(state.integers(2**32, size=4))  # batchgeneratorsv2 knows only the global generators
            try:
                image = images[sample, :channels].to("cpu", copy=True)
                images[sample, :channels] = change.transform(image=image)["image"].to(images.device)
            finally:
                np.random.set_state(places)


def _noisy(images: torch.Tensor, values: list, transform: BasicTransform, generator: torch.Generator) -> torch.Tensor:
    noise = torch.empty_like(images).normal_(generator=generator)
    return images + noise * _per_image(values[0], images)


def _resampled(images: torch.Tensor, values: list, transform: BasicTransform, generator) -> torch.Tensor:
    return apply_along_axes(images, values)


def _scaled(images: torch.Tensor, values: list, transform: BasicTransform, generator) -> torch.Tensor:
    return images * _per_image(values[0], images)


def _shifted(images: torch.Tensor, values: list, transform: BasicTransform, generator) -> torch.Tensor:
    return images + _per_image(values[0], images)


def _contrasted(images: torch.Tensor, values: list, transform: ContrastTransform, generator) -> torch.Tensor:
    """Scale about the mean, within each image's own range if the transform preserves it."""
    mean = _mean(images)
    scaled = (images - mean) * _per_image(values[0], images) + mean
    return scaled.clamp(_lowest(images), _highest(images)) if transform.preserve_range else scaled


def _gamma_corrected(images: torch.Tensor, values: list, transform: BasicTransform, generator) -> torch.Tensor:
    """Power law over each image's own range, keeping its mean and standard deviation; of the negative for sign -1."""
    exponent = _per_image(values[0], images)
    sign, exponent = exponent.sign(), exponent.abs()
    images = images * sign
    mean, deviation = _mean(images), _deviation(images)
    lowest = _lowest(images)
    extent = _highest(images) - lowest
    fraction = (images - lowest) / extent.clamp(min=EPSILON)
    powered = fraction**exponent * extent + lowest
    retained = (powered - _mean(powered)) * (deviation / _deviation(powered).clamp(min=EPSILON)) + mean
    return retained * sign


# By type of transform: how images (N, *spatial) are changed by what `_prepared` made for them.
CHANGES: dict[type[BasicTransform], Callable] = {
    GaussianNoiseTransform: _noisy,
    GaussianBlurTransform: _resampled,
    MultiplicativeBrightnessTransform: _scaled,
    BrightnessAdditiveTransform: _shifted,
    ContrastTransform: _contrasted,
    SimulateLowResolutionTransform: _resampled,
    GammaTransform: _gamma_corrected,
}
MATRICES: dict[type[BasicTransform], Callable] = {
    GaussianBlurTransform: gaussian_blur_matrix,
    SimulateLowResolutionTransform: low_resolution_matrix,
}


def _per_image(values: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """(N,) values as a tensor that broadcasts over (N, *spatial) images."""
    return values.to(images.dtype).reshape(-1, *[1] * (images.ndim - 1))


def _mean(images: torch.Tensor) -> torch.Tensor:
    return images.mean(dim=_spatial(images), keepdim=True)


def _deviation(images: torch.Tensor) -> torch.Tensor:
    return images.std(dim=_spatial(images), keepdim=True)


def _lowest(images: torch.Tensor) -> torch.Tensor:
    return images.amin(dim=_spatial(images), keepdim=True)


def _highest(images: torch.Tensor) -> torch.Tensor:
    return images.amax(dim=_spatial(images), keepdim=True)


def _spatial(images: torch.Tensor) -> tuple[int, ...]:
    return tuple(range(1, images.ndim))
