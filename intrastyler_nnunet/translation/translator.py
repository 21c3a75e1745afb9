"""Translation of nnU-Net batches: source images in nnU-Net space -> target style in nnU-Net space."""

from collections.abc import Iterator

import torch

from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.translation.label_hint import apply_label_hint
from intrastyler_nnunet.translation.space import from_generator_space, to_generator_space
from intrastyler_nnunet.translation.streaming import translate_streamed


class Translator:
    """A frozen generator, called with images as nnU-Net stores them.

    Maps each image into generator space with its own intensity window, and the output back with the
    exemplar's: the synthetic image lies where that exemplar's voxels lie after nnU-Net's preprocessing.
    """

    def __init__(self, generator: Generator, samples_at_once: int | None = None, compiled: bool = False):
        """
        Args:
            generator: on the device that translates.
            samples_at_once: the rest of a batch waits; None: all.
            compiled: let torch.compile optimise it.
        """
        generator = generator.eval().requires_grad_(False)
        for weight in generator.parameters():
            # What tensor cores read; on a CPU the contiguous layout is faster at the generator's inner layers.
            if weight.is_cuda and weight.ndim == 5:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)
        self.generator = generator
        self.samples_at_once = samples_at_once
        self.axes = generator.metadata.axes
        self.label_hint = generator.metadata.label_hint
        self._forward = torch.compile(generator) if compiled else generator

    @torch.no_grad()
    def __call__(
        self,
        images: torch.Tensor,
        source_windows: torch.Tensor,
        styles: torch.Tensor,
        target_windows: torch.Tensor,
        outside: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Translate a batch; everything on the generator's device.

        Args:
            images: (B, 1, *spatial) in nnU-Net space and axis order.
            source_windows: (B, 2) intensity windows (lo, hi) of the images' cases.
            styles: (B, K) style vectors of the exemplars.
            target_windows: (B, 2) intensity windows of the exemplars.
            outside: (B, 1, *spatial) bool, voxels outside the image, which become exactly 0 like padding.
            labels: (B, 1, *spatial) source labels, needed by a generator trained with a label hint.

        Returns:
            (B, 1, *spatial), float32, in nnU-Net space and axis order.
        """
        source = to_generator_space(images.float(), source_windows)
        source = apply_label_hint(source, source_windows, labels, self.label_hint)
        size = self.samples_at_once or len(images)
        parts = zip(self._to_generator_axes(source).split(size), styles.split(size), strict=True)
        target = torch.cat([self._generated(*part) for part in parts])
        # Outside inference mode, whose tensors may not enter the segmenter's autograd graph.
        translated = from_generator_space(self._to_nnunet_axes(target), target_windows)
        return translated if outside is None else translated.masked_fill(outside, 0.0)

    @torch.no_grad()
    def volume(
        self,
        image: torch.Tensor,
        source_window: torch.Tensor,
        styles: torch.Tensor,
        target_windows: torch.Tensor,
        labels: torch.Tensor | None = None,
        slab: int = 64,
    ) -> Iterator[torch.Tensor]:
        """Translate one volume of any size to S styles, slab by slab and yet without seams (`networks.streaming`).

        Args:
            image: (1, 1, *spatial) in nnU-Net space and axis order, on any device.
            source_window: (1, 2) its intensity window.
            styles: (S, K) style vectors.
            target_windows: (S, 2) intensity windows of the exemplars.
            labels: (1, 1, *spatial), needed by a generator trained with a label hint.
            slab: slices computed at once; fewer need less memory.

        Yields:
            S translations (1, 1, *spatial), float32, where `image` is.
        """
        source = to_generator_space(image.float(), source_window)
        source = apply_label_hint(source, source_window, labels, self.label_hint)
        results = translate_streamed(self.generator, self._to_generator_axes(source), styles, slab)
        for result, window in zip(results, target_windows, strict=True):
            yield from_generator_space(self._to_nnunet_axes(result), window[None])

    @torch.inference_mode()
    def _generated(self, source: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
        """The generator in its own precision: half on CUDA, whatever nnU-Net's step runs in."""
        with torch.autocast(source.device.type, torch.float16, enabled=source.device.type == "cuda"):
            return self._forward(source, styles).float()

    def _to_generator_axes(self, images: torch.Tensor) -> torch.Tensor:
        return images.permute(0, 1, *(2 + axis for axis in self.axes)).contiguous()

    def _to_nnunet_axes(self, images: torch.Tensor) -> torch.Tensor:
        inverse = (self.axes.index(axis) for axis in range(len(self.axes)))
        return images.permute(0, 1, *(2 + axis for axis in inverse)).contiguous()
