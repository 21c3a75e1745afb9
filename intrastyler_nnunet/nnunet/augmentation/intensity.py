"""nnU-Net's intensity augmentation on the training device, batched.

It follows the translation there, so it cannot stay in nnU-Net's workers. Formulas and order are those of the
transforms in batchgeneratorsv2; nothing here reads a value back from the device.
"""

from collections.abc import Callable

import numpy as np
import torch

from intrastyler_nnunet.nnunet.augmentation.axis_maps import (
    apply_along_axes,
    gaussian_blur_matrix,
    low_resolution_matrix,
)
from intrastyler_nnunet.nnunet.augmentation.parameters import IntensityParameters

EPSILON = 1e-7


def augment_intensity(
    images: torch.Tensor, parameters: IntensityParameters, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Apply `parameters` to the first C channels; further channels, and the input itself, stay as they are.

    Args:
        images: (B, C or more, *spatial) in nnU-Net space.
        parameters: drawn by `sample_intensity_parameters` for B samples and C channels.
        generator: on the images' device; reseeded with `parameters.noise_seed`. None: one is made here.
    """
    generator = generator or torch.Generator(images.device)
    generator.manual_seed(parameters.noise_seed)
    images = images.clone()
    steps: list[tuple[Callable, np.ndarray]] = [
        (lambda x, sigma: _noisy(x, sigma, generator), parameters.noise),
        (lambda x, sigma: _along_axes(x, sigma, gaussian_blur_matrix), parameters.blur),
        (lambda x, factor: x * _per_image(factor, x), parameters.brightness),
        (_contrasted, parameters.contrast),
        (lambda x, scale: _along_axes(x, scale, low_resolution_matrix), parameters.low_resolution),
        (lambda x, exponent: -_gamma_corrected(-x, exponent), parameters.inverted_gamma),
        (_gamma_corrected, parameters.gamma),
    ]
    for transform, values in steps:
        _transform_chosen(images, transform, values)
    return images


def _transform_chosen(images: torch.Tensor, transform: Callable, values: np.ndarray) -> None:
    """Replace the images whose value is not NaN by their transform, in place; do not touch the others."""
    chosen = ~np.isnan(values.reshape(*values.shape[:2], -1)).any(axis=-1)
    if not chosen.any():
        return
    indices = (torch.from_numpy(index) for index in chosen.nonzero())
    sample, channel = (index.to(images.device, non_blocking=True) for index in indices)
    images[sample, channel] = transform(images[sample, channel], values[chosen])


def _per_image(values: np.ndarray, images: torch.Tensor) -> torch.Tensor:
    """(N,) values as a tensor that broadcasts over (N, *spatial) images."""
    tensor = torch.as_tensor(values, dtype=images.dtype).to(images.device, non_blocking=True)
    return tensor.reshape(-1, *[1] * (images.ndim - 1))


def _noisy(images: torch.Tensor, sigma: np.ndarray, generator: torch.Generator) -> torch.Tensor:
    noise = torch.empty_like(images).normal_(generator=generator)
    return images + noise * _per_image(sigma, images)


def _along_axes(images: torch.Tensor, values: np.ndarray, matrix: Callable) -> torch.Tensor:
    """Apply `matrix(length, value)` along each axis; values (N, D) for images (N, *spatial) with D axes."""
    matrices = [
        torch.stack([matrix(length, value) for value in values[:, axis]]).to(images.device, non_blocking=True)
        for axis, length in enumerate(images.shape[1:])
    ]
    return apply_along_axes(images, matrices)


def _contrasted(images: torch.Tensor, factor: np.ndarray) -> torch.Tensor:
    """Scale about the mean, keeping each image's own range."""
    mean, lowest, highest = _mean(images), _lowest(images), _highest(images)
    return ((images - mean) * _per_image(factor, images) + mean).clamp(lowest, highest)


def _gamma_corrected(images: torch.Tensor, exponent: np.ndarray) -> torch.Tensor:
    """Power law over each image's own range, keeping its mean and standard deviation."""
    mean, deviation = _mean(images), _deviation(images)
    lowest = _lowest(images)
    extent = _highest(images) - lowest
    fraction = (images - lowest) / extent.clamp(min=EPSILON)
    powered = fraction ** _per_image(exponent, images) * extent + lowest
    return (powered - _mean(powered)) * (deviation / _deviation(powered).clamp(min=EPSILON)) + mean


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
