"""Translation of nnU-Net batches: source images in nnU-Net space -> target style in nnU-Net space."""

from collections.abc import Iterator, Sequence

import torch

from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.resampling import lay_weights_channels_last
from intrastyler_nnunet.translation.precision import translation_precision
from intrastyler_nnunet.translation.rescanning import rescanned, sample_noise
from intrastyler_nnunet.translation.space import GeneratorSpace
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
        lay_weights_channels_last(generator)
        self.generator = generator
        self.samples_at_once = samples_at_once
        self.space = GeneratorSpace.of(generator.metadata)
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
        acquisitions: torch.Tensor | None = None,
        noise: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Translate a batch; everything on the generator's device.

        Args:
            images: (B, 1, *spatial) in nnU-Net space and axis order.
            source_windows: (B, 2) intensity windows (lo, hi) of the images' cases.
            styles: (B, K) style vectors of the exemplars.
            target_windows: (B, 2) intensity windows of the exemplars.
            outside: (B, 1, *spatial) bool, voxels outside the image, which do not enter the generator's norms and
                become exactly 0 like padding. None: there are none, which takes less time than a mask of none.
            labels: (B, 1, *spatial) source labels, needed by a generator trained with a label hint.
            acquisitions: (B, COLUMNS) what the exemplars were acquired with, to acquire the translations so, too
                (`acquisition`, `rescanning`); None: they stay as they are.
            noise: random numbers for it; None: PyTorch's own.

        Returns:
            (B, 1, *spatial), float32, in nnU-Net space and axis order.
        """
        inputs = [self._input(images, source_windows, outside, labels), styles]
        if outside is not None:
            inputs.append(self.space.turned(~outside))
        size = self.samples_at_once or len(images)
        parts = zip(*(values.split(size) for values in inputs), strict=True)
        target = torch.cat([self._generated(*part) for part in parts])
        # Outside inference mode, whose tensors may not enter the segmenter's autograd graph.
        target = self._acquired(target, acquisitions, noise, inputs[2] if outside is not None else None)
        return self._output(target, target_windows, outside)

    @torch.no_grad()
    def volume(
        self,
        image: torch.Tensor,
        source_window: torch.Tensor,
        styles: torch.Tensor,
        target_windows: torch.Tensor,
        outside: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        slab: int = 64,
        acquisitions: torch.Tensor | None = None,
        seeds: Sequence[int] = (),
    ) -> Iterator[torch.Tensor]:
        """Translate one volume of any size to S styles, slab by slab and yet without seams (`streaming`).

        Args:
            image: (1, 1, *spatial) in nnU-Net space and axis order, on any device.
            source_window: (1, 2) its intensity window.
            styles: (S, K) style vectors.
            target_windows: (S, 2) intensity windows of the exemplars.
            outside: (1, 1, *spatial) bool, as in `__call__`.
            labels: (1, 1, *spatial), needed by a generator trained with a label hint.
            slab: slices computed at once; fewer need less memory.
            acquisitions: (S, COLUMNS), as in `__call__`; measured and applied over the whole volume.
            seeds: S seeds of the noise, if there are acquisitions.

        Yields:
            S translations (1, 1, *spatial), float32, where `image` is.
        """
        source = self._input(image, source_window, outside, labels)
        inside = None if outside is None else self.space.turned(~outside)
        results = translate_streamed(self.generator, source, styles, slab, inside)
        for number, (result, window) in enumerate(zip(results, target_windows, strict=True)):
            if acquisitions is not None:
                noise = torch.Generator(result.device).manual_seed(seeds[number])
                result = self._acquired(result, acquisitions[number : number + 1].to(result.device), noise, inside)
            yield self._output(result, window[None], outside)

    def _acquired(
        self,
        images: torch.Tensor,
        acquisitions: torch.Tensor | None,
        noise: torch.Generator | None,
        inside: torch.Tensor | None,
    ) -> torch.Tensor:
        if acquisitions is None:
            return images
        blurs = self.generator.metadata.acquisition
        return rescanned(images, acquisitions, sample_noise(images, noise), inside, blurs)

    def _output(self, images: torch.Tensor, windows: torch.Tensor, outside: torch.Tensor | None) -> torch.Tensor:
        translated = self.space.leave(images, windows)
        return translated if outside is None else translated.masked_fill(outside, 0.0)

    def _input(
        self, images: torch.Tensor, windows: torch.Tensor, outside: torch.Tensor | None, labels: torch.Tensor | None
    ) -> torch.Tensor:
        if self.space.label_hint is not None and labels is None:
            raise ValueError("the generator was trained with a label hint, expected labels")
        return self.space.enter(images, windows, labels, outside)

    @torch.inference_mode()
    def _generated(
        self, source: torch.Tensor, styles: torch.Tensor, inside: torch.Tensor | None = None
    ) -> torch.Tensor:
        with translation_precision(source.device):
            return self._forward(source, styles, inside).float()
