"""Two light segmenters that keep anatomy in place while the generator trains; neither is part of the generator."""

import torch
import torch.nn.functional as F
from torch import nn

from intrastyler_nnunet.networks.normalisation import InstanceNorm

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
