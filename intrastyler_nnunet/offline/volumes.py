"""Image files on a generator's grid and back."""

import numpy as np
import SimpleITK
import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.grids import SamplingGrid, image_onto
from intrastyler_nnunet.images import read_image
from intrastyler_nnunet.model.metadata import GeneratorMetadata

SAME_SPACING = 0.01  # relative; images this close to the generator's spacing are not resampled


def read_volume(path) -> SimpleITK.Image:
    """A 3D image of one channel.

    Raises:
        InputError: unreadable, of another kind, not finite or constant.
    """
    image = read_image(path)
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        found = f"{image.GetDimension()} dimensions and {image.GetNumberOfComponentsPerPixel()} channels"
        raise InputError(f"{path}: found {found}, expected a 3D image of one channel")
    array = SimpleITK.GetArrayViewFromImage(image)
    if not np.isfinite(array).all():
        raise InputError(f"{path}: found NaN or infinite voxels, expected finite ones")
    if array.min() == array.max():
        raise InputError(f"{path}: every voxel is {array.min():g}, expected an image")
    return image


def as_trained(image: SimpleITK.Image, metadata: GeneratorMetadata) -> SimpleITK.Image:
    """The image with its axes reordered and flipped to run as the training images' did (unknown: LPS)."""
    return SimpleITK.DICOMOrient(image, metadata.orientation or "LPS")


def generator_grid(image: SimpleITK.Image, metadata: GeneratorMetadata) -> SamplingGrid:
    """The grid that covers an image at the generator's spacing, with the training images' axes."""
    own = SamplingGrid.of(as_trained(image, metadata))
    if metadata.spacing is None:
        return own
    order = metadata.transpose_forward or (0, 1, 2)
    zyx = [metadata.spacing[order.index(axis)] for axis in range(3)]
    spacing = np.array(zyx[::-1])
    if np.allclose(own.spacing, spacing, rtol=SAME_SPACING, atol=0):
        return own
    size = np.ceil(np.multiply(np.subtract(own.size, 1), own.spacing) / spacing - 1e-6).astype(int) + 1
    return own.part((0.0, 0.0, 0.0), tuple(size.tolist()), tuple(spacing.tolist()))


def to_tensor(image: SimpleITK.Image, grid: SamplingGrid, metadata: GeneratorMetadata) -> torch.Tensor:
    """The image on `grid` as (1, 1, *spatial), float32, in nnU-Net's axis order; linear interpolation."""
    upright = as_trained(image, metadata)
    if SamplingGrid.of(upright) != grid:
        upright = image_onto(upright, grid)
    array = SimpleITK.GetArrayFromImage(upright).astype(np.float32)
    return torch.from_numpy(array.transpose(metadata.transpose_forward or (0, 1, 2)).copy())[None, None]


def to_image(
    volume: torch.Tensor, grid: SamplingGrid, metadata: GeneratorMetadata, original: SimpleITK.Image
) -> SimpleITK.Image:
    """Inverse of `to_tensor`: float32, on the grid and in the orientation of `original`."""
    order = metadata.transpose_forward or (0, 1, 2)
    array = volume[0, 0].cpu().numpy().transpose([order.index(axis) for axis in range(3)])
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array))
    image.CopyInformation(grid.empty())
    own = SamplingGrid.of(as_trained(original, metadata))
    if own != grid:
        image = image_onto(image, own)
    direction = original.GetDirection()
    orientation = SimpleITK.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(direction)
    image = SimpleITK.DICOMOrient(image, orientation)
    image.CopyInformation(original)
    return image
