"""The content encoder: first half of the generator, and the feature extractor of PatchNCE."""

from collections.abc import Sequence

import torch
from torch import nn

from intrastyler_nnunet.model.borders import Inside, seen_by
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.layers import BlurDown, InstanceNorm, ReflectionPad, VoxelsToChannels
from intrastyler_nnunet.model.recomputation import RecomputedInParts


class ResidualBlock(nn.Module):
    """x + IN(conv(ReLU(IN(conv(x))))) with reflected borders."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            ReflectionPad((3, 3, 3)), nn.Conv3d(channels, channels, 3), InstanceNorm(), nn.ReLU(),
            ReflectionPad((3, 3, 3)), nn.Conv3d(channels, channels, 3), InstanceNorm(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor, inside: Inside | None = None) -> torch.Tensor:
        """(B, C, X, Y, Z) -> the same shape; `inside`: as in `InstanceNorm`."""
        change = x
        for layer in self.body:
            change = seen_by(layer, change, inside)
            change = layer(change, inside) if isinstance(layer, InstanceNorm) else layer(change)
        return x + change


class ContentEncoder(RecomputedInParts):
    """Outer convolution, down-sampling stages, residual blocks.

    Layers are numbered as in the released code (padding, convolution, norm, activation and blur each count as one),
    because the paper names PatchNCE's feature layers by that number: 0, 4, 8, 12, 16 for two stages.
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        layers: list[nn.Module] = [
            nn.Sequential(VoxelsToChannels(config.pixel_block), ReflectionPad(config.outer_kernel)),
            nn.Conv3d(config.input_channels, config.width, config.outer_kernel),
            InstanceNorm(),
            nn.ReLU(),
        ]
        channels = config.width
        for strides in config.strides:
            layers += [
                nn.Conv3d(channels, 2 * channels, 3, padding=1), InstanceNorm(), nn.ReLU(),
                BlurDown(strides, config.released_blur),
            ]  # fmt: skip
            channels *= 2
        layers += [ResidualBlock(channels) for _ in range(config.residual_blocks)]
        self.layers = nn.ModuleList(layers)
        self.last_layer = len(layers) - 1
        blocks = self.last_layer - config.residual_blocks + 1
        # What is recomputed together: layers of one resolution, but the residual blocks, which have most of the
        # arithmetic and little of the memory.
        self.parts = [range(start, start + 4) for start in range(0, blocks, 4)]
        self.residual_part = range(blocks, len(layers))
        self.out_channels = channels

    def forward(
        self,
        x: torch.Tensor,
        indices: tuple[int, ...] = (),
        last: int | None = None,
        inside: Sequence[Inside] | None = None,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Content features, and the outputs of the layers `indices` on the way (for PatchNCE).

        Args:
            x: (B, 1 + label channels, X, Y, Z), the image in [-1, 1].
            indices: layers whose outputs are returned too.
            last: stop after this layer.
            inside: of `levels`; None: all of `x` is image.

        Returns:
            (B, 2^stages * width, X/4, Y/4, Z/4), for two stages of stride 2, and the layers' outputs.
        """
        collected: dict[int, torch.Tensor] = {}
        for number, part in enumerate(self.parts):
            here = None if inside is None else inside[max(number - 1, 0)]
            x, outputs = self.recomputed(self._through, x, part, indices, last, here)
            collected |= outputs
            if last is not None and last < part.stop:
                break
        else:
            x, outputs = self._through(x, self.residual_part, indices, last, None if inside is None else inside[-1])
            collected |= outputs
        return x, [collected[index] for index in indices]

    def _through(
        self, x: torch.Tensor, part: range, indices: tuple[int, ...], last: int | None, inside: Inside | None
    ) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        """The layers of one part, at most until the last, and the outputs of those among `indices`."""
        collected = {}
        for index in part:
            layer = self.layers[index]
            x = seen_by(layer, x, inside)
            x = layer(x, inside) if isinstance(layer, InstanceNorm | ResidualBlock) else layer(x)
            if index in indices:
                collected[index] = x
            if index == last:
                break
        return x, collected

    def levels(self, inside: torch.Tensor) -> list[Inside]:
        """What is image at each resolution, the finest first: before each down-sampling and after the last.

        Args:
            inside: (B, 1, X, Y, Z), bool, of the source.
        """
        first = self.layers[0]
        assert isinstance(first, nn.Sequential)
        to_channels = first[0]
        mask = to_channels(inside.float()).mean(dim=1, keepdim=True) >= 0.5
        masks = [mask]
        for layer in self.layers:
            if isinstance(layer, BlurDown):  # whose output is centred on every second place
                x, y, z = layer.strides
                masks.append(masks[-1][:, :, ::x, ::y, ::z])
        return [Inside(mask) for mask in masks]
