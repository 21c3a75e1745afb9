"""The style-conditioned decoder: second half of the generator. Its last two norms are DIN (paper section 2.3)."""

from collections.abc import Sequence

import torch
from torch import nn

from intrastyler_nnunet.model.borders import Inside, seen_by
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.layers import (
    BlurUp,
    ChannelsToVoxels,
    DynamicInstanceNorm,
    ImageConv3d,
    ReflectionPad,
    VoxelsToChannels,
)
from intrastyler_nnunet.model.recomputation import RecomputedInParts
from intrastyler_nnunet.model.resampling import in_layout_of


class DecoderStage(nn.Module):
    """Blur-upsample, convolution that halves the channels, DIN, ReLU; `skipped` channels join after upsampling."""

    def __init__(self, channels: int, strides: tuple[int, int, int], config: GeneratorConfig, skipped: int = 0):
        super().__init__()
        self.up = BlurUp(strides, config.released_blur)
        self.conv = nn.Conv3d(channels + skipped, channels // 2, 3, padding=1)
        self.din = DynamicInstanceNorm(config.style_dim, channels // 2)

    def forward(
        self,
        x: torch.Tensor,
        style: torch.Tensor,
        skipped: torch.Tensor | None = None,
        inside: tuple[Inside | None, Inside | None] = (None, None),
    ) -> torch.Tensor:
        """(B, C, X, Y, Z), (B, K), (B, S, 2X, 2Y, 2Z) -> (B, C/2, 2X, 2Y, 2Z).

        `inside`: what is image before and after upsampling; None: all.
        """
        before, after = inside
        x = self.up(seen_by(self.up, x, before))
        x = x if skipped is None else torch.cat([x, in_layout_of(x, skipped.to(x.dtype))], dim=1)
        x = self.conv(seen_by(self.conv, x, after))
        return torch.relu(self.din(x, style, after))


class Decoder(RecomputedInParts):
    """One stage per down-sampling of the encoder, then the outer convolution to one channel and tanh."""

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        channels = config.width * 2 ** len(config.strides)
        self.stages = nn.ModuleList()
        for strides in reversed(config.strides):
            last = len(self.stages) == len(config.strides) - 1
            skipped = config.input_channels if last and config.skip else 0
            self.stages.append(DecoderStage(channels, strides, config, skipped))
            channels //= 2
        self.from_voxels = VoxelsToChannels(config.pixel_block) if config.skip else None
        self.pad = ReflectionPad(config.outer_kernel)
        self.to_image = ImageConv3d(channels, config.pixel_channels, config.outer_kernel)
        self.to_voxels = ChannelsToVoxels(config.pixel_block)

    def forward(
        self,
        content: torch.Tensor,
        style: torch.Tensor,
        source: torch.Tensor,
        inside: Sequence[Inside] | None = None,
    ) -> torch.Tensor:
        """Content features, (B, K) style vectors and the source -> image (B, 1, X, Y, Z) in [-1, 1], as the source.

        `inside`: of `ContentEncoder.levels`; None: all of the source is image.
        """
        levels: Sequence[Inside | None] = inside or [None] * (len(self.stages) + 1)
        for stage, *around in zip(self.stages, levels[:0:-1], levels[-2::-1], strict=True):
            skipped = self.from_voxels(source) if self.from_voxels and stage is self.stages[-1] else None
            content = self.recomputed(stage, content, style, skipped, tuple(around))
        content = seen_by(self.pad, content, levels[0])
        return self.recomputed(self._image, content)

    def _image(self, content: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.to_voxels(self.to_image(self.pad(content))))
