"""How nnU-Net's workers tell the training device which voxels lie outside the image."""
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform


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


def split_outside(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Undo `MarkOutside` on a batch (B, C, *spatial).

    Returns:
        The images with zeros outside, and the (B, C, *spatial) bool mask of voxels outside.
    """
    outside = images.isnan()
    return images.masked_fill(outside, 0.0), outside
