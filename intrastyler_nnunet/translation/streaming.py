"""The generator over a volume of any size in slabs, with the result of one pass over the whole.

Instance normalisation needs means over the whole volume, so tiles that are translated one by one differ from each other
at their seams. Here every layer is finished before the next one begins: local layers (convolutions, resampling) run
slab by slab, each slab with enough of its neighbours; norms take their statistics from all slabs. Between layers,
features wait in the memory of the source (usually the CPU's), so the device holds a slab at a time.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from intrastyler_nnunet.model.borders import Inside, border_of, seen_by
from intrastyler_nnunet.model.content_encoder import ResidualBlock
from intrastyler_nnunet.model.decoder import DecoderStage
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.layers import EPSILON, BlurDown, InstanceNorm
from intrastyler_nnunet.translation.precision import translation_precision

MARGIN = 4  # voxels of the neighbours on either side of a slab: as far as a layer reaches, a multiple of its stride


@torch.no_grad()
def translate_streamed(
    generator: Generator, source: torch.Tensor, styles: torch.Tensor, slab: int, inside: torch.Tensor | None = None
) -> Iterator[torch.Tensor]:
    """Translate one image to several styles; its content is encoded once.

    Args:
        generator: on the device that computes.
        source: (1, 1, X, Y, Z) in [-1, 1], on any device.
        styles: (S, K) style vectors.
        slab: voxels along x that a layer computes at once, at least 1; the device's memory grows with it.
        inside: (1, 1, X, Y, Z) bool, which voxels are image, where `source` is; None: all.

    Yields:
        For each style, (1, 1, X, Y, Z) in [-1, 1], float32, on the device of `source`.
    """
    x, y, z = source.shape[2:]
    layers = _Layers(next(generator.parameters()).device, slab)
    padded = generator.pad_to_stride(source)
    levels = None if inside is None else generator.content_encoder.levels(generator.pad_to_stride(inside.float()) > 0.5)
    content = layers.encode(generator, padded, levels)
    for style in styles:
        yield layers.decode(generator, content, style[None], padded, levels)[..., :x, :y, :z]


class _Layers:
    """Layers over whole volumes (1, C, X, Y, Z) that may not fit on the device."""

    def __init__(self, device: torch.device, slab: int):
        self.device, self.slab = device, slab

    def encode(self, generator: Generator, source: torch.Tensor, levels: list[Inside] | None) -> torch.Tensor:
        """Do what `ContentEncoder.forward` does, without its collected layers."""
        x, level = source, 0
        local: list[nn.Module] = []
        for layer in generator.content_encoder.layers:
            x, local = self._next(layer, x, local, None if levels is None else levels[level])
            level += isinstance(layer, BlurDown)
        return self._local(local, x)

    def decode(
        self,
        generator: Generator,
        content: torch.Tensor,
        style: torch.Tensor,
        source: torch.Tensor,
        levels: list[Inside] | None,
    ) -> torch.Tensor:
        """Do what `Decoder.forward` does."""
        decoder, style, x = generator.decoder, style.to(self.device), content
        inside: Sequence[Inside | None] = levels or [None] * (len(decoder.stages) + 1)
        for stage, before, after in zip(decoder.stages, inside[:0:-1], inside[-2::-1], strict=True):
            assert isinstance(stage, DecoderStage)
            x = seen_by(stage.up, x, before)
            local: list[nn.Module] = [stage.up]
            if decoder.from_voxels and stage is decoder.stages[-1]:
                x, local = torch.cat([self._local(local, x), decoder.from_voxels(source)], dim=1), []
            x, local = self._next(stage.conv, x, local, after)
            gamma, beta = stage.din.controller(style[..., None, None, None]).chunk(2, dim=1)
            x = self._normalised(self._local(local, x), gamma, beta, after)
            x = self._local([nn.ReLU()], x)
        x = seen_by(decoder.pad, x, inside[0])
        return self._local([decoder.pad, decoder.to_image, decoder.to_voxels, nn.Tanh()], x)

    def _next(
        self, layer: nn.Module, x: torch.Tensor, local: list[nn.Module], inside: Inside | None
    ) -> tuple[torch.Tensor, list[nn.Module]]:
        """Features after `local`, layers that wait to run together, and `layer`; or `layer` among those that wait."""
        if isinstance(layer, InstanceNorm | ResidualBlock):
            x = self._local(local, x)
            if isinstance(layer, InstanceNorm):
                return self._normalised(x, 1.0, 0.0, inside), []
            change = x
            waiting: list[nn.Module] = []
            for inner in layer.body:
                change, waiting = self._next(inner, change, waiting, inside)
            return x + self._local(waiting, change), []
        if inside is not None and border_of(layer):
            return seen_by(layer, self._local(local, x), inside), [layer]
        return x, [*local, layer]

    def _local(self, modules: Sequence[nn.Module], x: torch.Tensor) -> torch.Tensor:
        """Apply layers whose reach is at most MARGIN; each slab's margins are computed and thrown away.

        At the volume's own borders a slab has no margin, so that the layers' padding is what it would be.
        """
        if not modules:
            return x
        result, length = None, x.shape[2]
        for start in range(0, length, self._step(x)):
            stop = min(start + self._step(x), length)
            first, last = max(start - MARGIN, 0), min(stop + MARGIN, length)
            part = x[:, :, first:last].to(self.device)
            with translation_precision(self.device):  # as batches are translated; features wait in full
                for module in modules:
                    part = module(part)
            ratio = part.shape[2] / (last - first)  # of a layer that samples up or down
            if result is None:
                result = x.new_empty((1, part.shape[1], round(length * ratio), *part.shape[3:]), dtype=torch.float32)
            low, high = round(start * ratio), round(stop * ratio)
            skipped = round(first * ratio)
            result[:, :, low:high] = part[:, :, low - skipped : high - skipped].to(x.device)
        assert result is not None
        return result

    def _normalised(
        self, x: torch.Tensor, gamma: torch.Tensor | float, beta: torch.Tensor | float, inside: Inside | None
    ) -> torch.Tensor:
        """gamma * (x - mean) / deviation + beta with the statistics of the whole volume, in place."""
        if inside is None:
            mean = x.mean(dim=(2, 3, 4), keepdim=True)
            variance = x.var(dim=(2, 3, 4), keepdim=True, correction=0)
        else:
            mean, variance = inside.statistics(x)
        scale = (variance + EPSILON).rsqrt()
        if isinstance(gamma, torch.Tensor) and isinstance(beta, torch.Tensor):
            gamma, beta = gamma.to(x.device), beta.to(x.device)
        return x.sub_(mean).mul_(scale * gamma).add_(beta)

    def _step(self, x: torch.Tensor) -> int:
        """Slices of `x` per slab, such that slabs begin where every stride does."""
        return max(self.slab // MARGIN, 1) * MARGIN
