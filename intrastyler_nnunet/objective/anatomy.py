"""The optional anatomy terms: segmentation and edge consistency of the paper's released code, and fluid in bone."""

import math

import torch
import torch.nn.functional as F
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss
from torch import nn

from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.layers import AffineInstanceNorm, BlurUp, ChannelsToVoxels, InstanceNorm
from intrastyler_nnunet.translation.label_hint import is_one_of, mean_inside

SEGMENTER_WIDTHS = (8, 16, 32, 64)
SEGMENTER_STRIDES = ((1, 1, 1), (2, 2, 1), (2, 2, 2), (2, 2, 2))


class ContentHead(nn.Module):
    """Labels from the content features: the generator's decoder without styles, as in the released code.

    Per down-sampling of the encoder a stage of blur-upsampling, convolution that halves the channels, norm and ReLU;
    then a convolution to the classes.
    """

    def __init__(self, config: GeneratorConfig, classes: int):
        super().__init__()
        channels = config.width * 2 ** len(config.strides)
        layers: list[nn.Module] = []
        for strides in reversed(config.strides):
            layers += [
                BlurUp(strides, config.released_blur), nn.Conv3d(channels, channels // 2, 3, padding=1),
                InstanceNorm(), nn.ReLU(),
            ]  # fmt: skip
            channels //= 2
        layers += [nn.Conv3d(channels, classes * config.pixel_channels, 3, padding=1)]
        self.layers = nn.Sequential(*layers, ChannelsToVoxels(config.pixel_block))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (B, C, X', Y', Z') -> logits (B, classes, X, Y, Z) of the padded image they were made from."""
        return self.layers(features)


class OutputSegmenter(nn.Module):
    """A small U-Net of nnU-Net's kind on the translated image, deep enough to tell structures by their surroundings."""

    def __init__(self, classes: int):
        super().__init__()
        stages = len(SEGMENTER_WIDTHS)
        self.unet = PlainConvUNet(
            1, stages, SEGMENTER_WIDTHS, nn.Conv3d, 3, SEGMENTER_STRIDES, 2, classes, [1] * (stages - 1),
            conv_bias=True, norm_op=AffineInstanceNorm, norm_op_kwargs={}, nonlin=nn.LeakyReLU,
        )  # fmt: skip
        self.unet.decoder.seg_layers = self.unet.decoder.seg_layers[-1:]  # of coarser stages, which nothing trains

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1] -> logits (B, classes, X, Y, Z)."""
        x, y, z = image.shape[2:]
        missing = [
            -size % math.prod(steps)
            for size, steps in zip((x, y, z), zip(*SEGMENTER_STRIDES, strict=True), strict=True)
        ]
        padding = [amount for axis in (2, 1, 0) for amount in (0, missing[axis])]
        return self.unet(F.pad(image, padding, mode="replicate"))[..., :x, :y, :z]


# A cochlea is fluid and bone in one voxel, and lies in bone: simulated T2 has it and the bone beside it at about these
# shares of the range from dark to bright.
DARK, BRIGHT = 0.05, 0.98  # quantiles of an image
FLUID_SHARE, BONE_SHARE = 0.55, 0.15
EPSILON = 1e-6  # under the square root of the edge strength, whose gradient is infinite at 0


def segmentation_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """nnU-Net's cross entropy and Dice loss, the latter as 1 - Dice and of background, too, as in the released code.

    Args:
        logits: (B, C, X, Y, Z).
        labels: (B, 1, X, Y, Z), whole numbers below C.
    """
    dice = {"batch_dice": True, "smooth": 1e-5, "do_bg": True, "ddp": False}
    return 1 + DC_and_CE_loss(dice, {}, dice_class=MemoryEfficientSoftDiceLoss)(logits, labels)


NEAR_STRUCTURES, NEAR_COCHLEA = 2.0, 10.0  # weights of edges, as in the released code; 1 elsewhere


def edge_consistency(
    source: torch.Tensor, translated: torch.Tensor, labels: torch.Tensor, cochlea: tuple[int, ...]
) -> torch.Tensor:
    """Mean absolute difference of the Sobel edge strengths, each divided by its image's mean, weighted near structures.

    The division makes the term blind to contrast: an edge may change its height, but not its place. The released code
    takes the hyperbolic tangent of the strengths instead.

    Args:
        source, translated: (B, 1, X, Y, Z) in [-1, 1].
        labels: (B, 1, X, Y, Z) of the source.
        cochlea: the labels, if any, whose neighbourhood weighs most.
    """
    difference = (_relative_edges(source) - _relative_edges(translated)).abs()
    near, nearest = (_two_around(mask) for mask in (labels > 0, is_one_of(labels, cochlea)))
    weights = torch.where(nearest, NEAR_COCHLEA, torch.where(near, NEAR_STRUCTURES, 1.0))
    return (weights * difference).sum() / weights.sum()


def _two_around(mask: torch.Tensor) -> torch.Tensor:
    """A mask and what is at most two voxels from it in the plane, or one slice."""
    return F.max_pool3d(mask.float(), (5, 5, 3), 1, (2, 2, 1)) > 0


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
