"""What is left to nnU-Net's workers: the trainer's pipelines without what changes the image alone, plus a mark."""

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform, ImageOnlyTransform, SegOnlyTransform
from batchgeneratorsv2.transforms.nnunet.random_binary_operator import ApplyRandomBinaryOperatorTransform
from batchgeneratorsv2.transforms.nnunet.remove_connected_components import (
    RemoveRandomConnectedComponentFromOneHotEncodingTransform,
)
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.pseudo2d import Convert2DTo3DTransform, Convert3DTo2DTransform
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.augmentation.parameters import leaves


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


# They change the channels that the cascade's previous stage adds, not the image.
OF_THE_CASCADE = (ApplyRandomBinaryOperatorTransform, RemoveRandomConnectedComponentFromOneHotEncodingTransform)


def split_pipeline(pipeline: BasicTransform) -> tuple[ComposeTransforms, list[BasicTransform]]:
    """What of a trainer's pipeline stays with the workers, and what follows the translation: all that changes the image
    alone.

    Raises:
        InputError: the pipeline is none of batchgeneratorsv2, or mixes the two inseparably.
    """
    if type(pipeline) is not ComposeTransforms:
        raise InputError(f"the trainer's pipeline is a {type(pipeline).__name__}, expected ComposeTransforms")
    kept: list[BasicTransform] = []
    moved: list[BasicTransform] = []
    folded = False  # the first axis among the channels ("dummy 2D" augmentation)
    for transform in pipeline.transforms:
        folded = isinstance(transform, Convert3DTo2DTransform) or (
            folded and not isinstance(transform, Convert2DTo3DTransform)
        )
        changes_image_alone = {_changes_image_alone(leaf) for leaf in leaves(transform)}
        if changes_image_alone == {True, False}:
            raise InputError(f"{_kind(transform)} changes images and labels by chance, expected one or the other")
        if True in changes_image_alone and folded:
            raise InputError(f"{_kind(transform)} sees single slices, expected it after Convert2DTo3DTransform")
        (moved if True in changes_image_alone else kept).append(transform)
    return ComposeTransforms(kept), moved


def _changes_image_alone(transform: BasicTransform) -> bool:
    if isinstance(transform, ImageOnlyTransform):
        return not isinstance(transform, OF_THE_CASCADE)
    known = type(transform).__module__.startswith("batchgeneratorsv2.")
    if known or isinstance(transform, SegOnlyTransform) or _overrides(transform, "_apply_to_segmentation"):
        return False
    raise InputError(
        f"{type(transform).__name__} may change images, labels or both, expected an ImageOnlyTransform of "
        "batchgeneratorsv2, a SegOnlyTransform, or one with _apply_to_segmentation"
    )


def _overrides(transform: BasicTransform, name: str) -> bool:
    return getattr(type(transform), name) is not getattr(BasicTransform, name)


def _kind(transform: BasicTransform) -> str:
    return " or ".join(dict.fromkeys(type(leaf).__name__ for leaf in leaves(transform)))


def marking_outside(pipeline: ComposeTransforms) -> ComposeTransforms:
    """The pipeline with `MarkOutside` just before the label -1 is removed. Raises InputError if it is not."""
    transforms = list(pipeline.transforms)
    removals = (i for i, transform in enumerate(transforms) if isinstance(transform, RemoveLabelTansform))
    removal = next(removals, None)
    if removal is None:
        raise InputError("the trainer's pipeline does not remove the label -1 of padding, expected RemoveLabelTansform")
    return ComposeTransforms([*transforms[:removal], MarkOutside(), *transforms[removal:]])
