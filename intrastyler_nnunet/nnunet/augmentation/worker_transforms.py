"""What is left to nnU-Net's workers: its own pipelines without intensity augmentation, plus `MarkOutside`."""

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform


class MarkOutside(BasicTransform):
    """Write NaN into voxels that padding made: label -1 and intensity 0.

    It runs just before nnU-Net removes the label -1. Background *inside* the image also carries label -1 but
    keeps the value that normalisation gave it (0 only if nnU-Net normalised inside a mask; it is then zero at
    inference too). NaN needs no further entry in the batch, which nnU-Net's loader would drop.
    """

    def apply(self, data_dict: dict, **params) -> dict:
        """Mark `image` (C, *spatial) where `segmentation[0]` is -1."""
        outside = data_dict["segmentation"][:1] == -1
        image = data_dict["image"]
        # Not in place: without spatial augmentation the image can be a read-only memory map.
        data_dict["image"] = image.masked_fill(outside & (image == 0), torch.nan)
        return data_dict


def split_outside(images: torch.Tensor, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Undo `MarkOutside` on a batch (B, C, *spatial) that comes from the workers, and hand it to the device.

    Returns:
        The images with zeros outside, and the (B, C, *spatial) bool mask of voxels outside; None: there are none.
    """
    padded = is_padded(images)
    images = images.to(device, non_blocking=True)
    if not padded:
        return images, None
    outside = images.isnan()
    return images.masked_fill(outside, 0.0), outside


def is_padded(images: torch.Tensor) -> bool:
    """Whether `MarkOutside` marked anything; read on the host, where nobody waits for the device."""
    return bool(np.isnan(images.numpy().min()))


INTENSITY_TRANSFORMS = (
    GaussianNoiseTransform,
    GaussianBlurTransform,
    MultiplicativeBrightnessTransform,
    ContrastTransform,
    SimulateLowResolutionTransform,
    GammaTransform,
)


def without_intensity(pipeline: ComposeTransforms) -> ComposeTransforms:
    """The pipeline without nnU-Net's randomly applied intensity transforms."""
    return ComposeTransforms([transform for transform in pipeline.transforms if not is_intensity(transform)])


def marking_outside(pipeline: ComposeTransforms) -> ComposeTransforms:
    """The pipeline with `MarkOutside` just before the label -1 is removed."""
    transforms = list(pipeline.transforms)
    removal = next(i for i, transform in enumerate(transforms) if isinstance(transform, RemoveLabelTansform))
    return ComposeTransforms([*transforms[:removal], MarkOutside(), *transforms[removal:]])


def is_intensity(transform: BasicTransform) -> bool:
    """Whether this is one of nnU-Net's randomly applied intensity transforms."""
    return isinstance(transform, RandomTransform) and isinstance(transform.transform, INTENSITY_TRANSFORMS)
