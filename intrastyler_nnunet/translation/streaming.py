"""The generator over a volume of any size in slabs, with the result of one pass over the whole.

Instance normalisation needs means over the whole volume, so tiles that are translated one by one differ from each other
at their seams. Here every layer is finished before the next one begins: local layers (convolutions, resampling) run
slab by slab, each slab with enough of its neighbours; norms take their statistics from all slabs. Between layers,
features wait in the memory of the source (usually the CPU's), so the device holds a slab at a time.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from intrastyler_nnunet.model.content_encoder import ResidualBlock
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.layers import EPSILON, InstanceNorm

MARGIN = 4  # voxels of the neighbours on either side of a slab: as far as a layer reaches, a multiple of its stride


@torch.no_grad()
def translate_streamed(
    generator: Generator, source: torch.Tensor, styles: torch.Tensor, slab: int
) -> Iterator[torch.Tensor]:
    """Translate one image to several styles; its content is encoded once.

    Args:
        generator: on the device that computes.
        source: (1, 1, X, Y, Z) in [-1, 1], on any device.
        styles: (S, K) style vectors.
        slab: voxels along x that a layer computes at once, at least 1; the device's memory grows with it.

    Yields:
        For each style, (1, 1, X, Y, Z) in [-1, 1], float32, on the device of `source`.
    """
    x, y, z = source.shape[2:]
    layers = _Layers(next(generator.parameters()).device, slab)
    padded = generator.pad_to_stride(source)
    content = layers.encode(generator, padded)
    for style in styles:
        yield layers.decode(generator, content, style[None], padded)[..., :x, :y, :z]


class _Layers:
    """Layers over whole volumes (1, C, X, Y, Z) that may not fit on the device."""

    def __init__(self, device: torch.device, slab: int):
        self.device, self.slab = device, slab

    def encode(self, generator: Generator, source: torch.Tensor) -> torch.Tensor:
        """As `ContentEncoder.forward`."""
        return self._chain(generator.content_encoder.layers, source)

    def decode(
        self, generator: Generator, content: torch.Tensor, style: torch.Tensor, source: torch.Tensor
    ) -> torch.Tensor:
        """As `Decoder.forward`."""
        decoder, style, x = generator.decoder, style.to(self.device), content
        for stage in decoder.stages:
            if decoder.from_voxels and stage is decoder.stages[-1]:
                x = torch.cat([self._local([stage.up], x), decoder.from_voxels(source)], dim=1)
                x = self._local([stage.conv], x)
            else:
                x = self._local([stage.up, stage.conv], x)
            gamma, beta = stage.din.controller(style[..., None, None, None]).chunk(2, dim=1)
            x = self._normalised(x, gamma, beta)
            x = self._local([nn.ReLU()], x)
        return self._local([decoder.pad, decoder.to_image, decoder.to_voxels, nn.Tanh()], x)

    def _chain(self, modules: Sequence[nn.Module], x: torch.Tensor) -> torch.Tensor:
        local: list[nn.Module] = []  # layers between two norms run together
        for module in modules:
            if isinstance(module, InstanceNorm | ResidualBlock):
                x, local = self._local(local, x), []
                residual = isinstance(module, ResidualBlock)
                x = x + self._chain(module.body, x) if residual else self._normalised(x, 1.0, 0.0)
            else:
                local.append(module)
        return self._local(local, x)

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
            for module in modules:
                part = module(part)
            ratio = part.shape[2] / (last - first)  # of a layer that samples up or down
            if result is None:
                result = x.new_empty((1, part.shape[1], round(length * ratio), *part.shape[3:]), dtype=torch.float32)
            low, high = round(start * ratio), round(stop * ratio)
            skipped = round(first * ratio)
            result[:, :, low:high] = part[:, :, low - skipped : high - skipped].to(x.device)
        return result

    def _normalised(self, x: torch.Tensor, gamma: torch.Tensor | float, beta: torch.Tensor | float) -> torch.Tensor:
        """gamma * (x - mean) / deviation + beta with the statistics of the whole volume, in place."""
        mean = x.mean(dim=(2, 3, 4), keepdim=True)
        variance = x.var(dim=(2, 3, 4), keepdim=True, correction=0)
        scale = (variance + EPSILON).rsqrt()
        if isinstance(gamma, torch.Tensor):
            gamma, beta = gamma.to(x.device), beta.to(x.device)
        return x.sub_(mean).mul_(scale * gamma).add_(beta)

    def _step(self, x: torch.Tensor) -> int:
        """Slices of `x` per slab, such that slabs begin where every stride does."""
        return max(self.slab // MARGIN, 1) * MARGIN
