"""The style-conditioned decoder: second half of the generator. Its last two norms are DIN (paper section 2.3)."""

import torch
from torch import nn

from intrastyler_nnunet.networks.blur import BlurUp
from intrastyler_nnunet.networks.config import GeneratorConfig
from intrastyler_nnunet.networks.content_encoder import ReflectionPad
from intrastyler_nnunet.networks.image_convolution import ImageConv3d
from intrastyler_nnunet.networks.normalisation import DynamicInstanceNorm
from intrastyler_nnunet.networks.pixel_blocks import ChannelsToVoxels


class DecoderStage(nn.Module):
    """Blur-upsample, convolution that halves the channels, DIN, ReLU."""

    def __init__(self, channels: int, strides: tuple[int, int, int], config: GeneratorConfig):
        super().__init__()
        self.up = BlurUp(strides, config.released_blur)
        self.conv = nn.Conv3d(channels, channels // 2, 3, padding=1)
        self.din = DynamicInstanceNorm(config.style_dim, channels // 2)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """(B, C, X, Y, Z), (B, K) -> (B, C/2, 2X, 2Y, 2Z)."""
        return torch.relu(self.din(self.conv(self.up(x)), style))


class Decoder(nn.Module):
    """One stage per down-sampling of the encoder, then the outer convolution to one channel and tanh."""

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        channels = config.width * 2 ** len(config.strides)
        self.stages = nn.ModuleList()
        for strides in reversed(config.strides):
            self.stages.append(DecoderStage(channels, strides, config))
            channels //= 2
        self.pad = ReflectionPad(config.outer_kernel)
        self.to_image = ImageConv3d(channels, config.pixel_channels, config.outer_kernel)
        self.to_voxels = ChannelsToVoxels(config.pixel_block)

    def forward(self, content: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Content features and (B, K) style vectors -> image (B, 1, X, Y, Z) in [-1, 1]."""
        for stage in self.stages:
            content = stage(content, style)
        return torch.tanh(self.to_voxels(self.to_image(self.pad(content))))
