"""The optional anatomy terms: segmentation and edge consistency of the paper's released code, and fluid in bone."""

import torch
import torch.nn.functional as F
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss
from torch import nn

from intrastyler_nnunet.model.layers import InstanceNorm
from intrastyler_nnunet.translation.label_hint import mean_inside

SEGMENTER_WIDTH = 8


class ContentHead(nn.Module):
    """A linear classifier of the content features, interpolated to the grid of the image that they were made from."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.classifier = nn.Conv3d(channels, classes, 1)

    def forward(self, features: torch.Tensor, size: torch.Size) -> torch.Tensor:
        """Features (B, C, X', Y', Z') -> logits (B, classes, *size)."""
        return F.interpolate(self.classifier(features), size=tuple(size), mode="trilinear")


class LightSegmenter(nn.Module):
    """A two-level U-Net on the translated image: enough to find a structure that is visible, no more."""

    def __init__(self, classes: int):
        super().__init__()
        width = SEGMENTER_WIDTH
        self.fine = _convolution(1, width)
        self.coarse = nn.Sequential(_convolution(width, 2 * width, stride=2), _convolution(2 * width, 2 * width))
        self.merge = _convolution(3 * width, width)
        self.classifier = nn.Conv3d(width, classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1] -> logits (B, classes, X, Y, Z)."""
        fine = self.fine(image)
        coarse = F.interpolate(self.coarse(fine), size=fine.shape[2:], mode="trilinear")
        return self.classifier(self.merge(torch.cat([fine, coarse], dim=1)))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, stride, padding=1), InstanceNorm(), nn.LeakyReLU(0.01))


# A cochlea is fluid and bone in one voxel, and lies in bone: simulated T2 has it and the bone beside it at about these
# shares of the range from dark to bright.
DARK, BRIGHT = 0.05, 0.98  # quantiles of an image
FLUID_SHARE, BONE_SHARE = 0.55, 0.15
EPSILON = 1e-6  # under the square root of the edge strength, whose gradient is infinite at 0


def segmentation_loss() -> nn.Module:
    """nnU-Net's Dice + cross entropy, of logits (B, C, *spatial) and labels (B, 1, *spatial)."""
    dice = {"batch_dice": True, "smooth": 1e-5, "do_bg": False, "ddp": False}
    return DC_and_CE_loss(dice, {}, dice_class=MemoryEfficientSoftDiceLoss)


def edge_consistency(source: torch.Tensor, translated: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of the Sobel edge strengths, each divided by its image's mean.

    The division makes the term blind to contrast: an edge may change its height, but not its place.

    Args:
        source, translated: (B, 1, X, Y, Z) in [-1, 1].
    """
    return (_relative_edges(source) - _relative_edges(translated)).abs().mean()


def fluid_brightness(
    translated: torch.Tensor, exemplar: torch.Tensor, fluid: torch.Tensor, background: torch.Tensor
) -> torch.Tensor:
    """How far the means of fluid and of the bone beside it are from their shares of the exemplar's range, summed.

    Without the bone, a generator smears the fluid: its mean is right while its border is lost.

    Args:
        translated, exemplar: (B, 1, X, Y, Z) in [-1, 1].
        fluid: (B, 1, X, Y, Z), bool; images without any count as right.
        background: (B, 1, X, Y, Z), bool, where no structure is; its voxels beside fluid in the plane count as bone,
            though some are fluid without a label.

    Returns:
        (), the mean over the images, 0 or more.
    """
    quantiles = torch.tensor([DARK, BRIGHT], device=exemplar.device)
    dark, bright = exemplar.float().flatten(1).quantile(quantiles, dim=1)[..., None, None, None, None]
    bone = background & (F.max_pool3d(fluid.float(), (3, 3, 1), 1, (1, 1, 0)) > 0)
    of_fluid, of_bone = (
        mean_inside(translated.float() - dark - share * (bright - dark), voxels).abs().mean()
        for voxels, share in ((fluid, FLUID_SHARE), (bone, BONE_SHARE))
    )
    return of_fluid + of_bone


def sobel_strength(image: torch.Tensor) -> torch.Tensor:
    """Length of the 3D Sobel gradient (per voxel spacing) of (B, 1, X, Y, Z); borders are replicated."""
    smooth = torch.tensor([1.0, 2.0, 1.0], device=image.device) / 4
    slope = torch.tensor([-1.0, 0.0, 1.0], device=image.device) / 2
    kernels = [
        x[:, None, None] * y[None, :, None] * z[None, None, :]
        for x, y, z in ((slope, smooth, smooth), (smooth, slope, smooth), (smooth, smooth, slope))
    ]
    padded = F.pad(image.float(), (1,) * 6, mode="replicate")
    with torch.autocast(image.device.type, enabled=False):
        gradient = F.conv3d(padded, torch.stack(kernels)[:, None])
    return (gradient.square().sum(dim=1, keepdim=True) + EPSILON).sqrt()


def _relative_edges(image: torch.Tensor) -> torch.Tensor:
    strength = sobel_strength(image)
    return strength / strength.mean(dim=(1, 2, 3, 4), keepdim=True)
