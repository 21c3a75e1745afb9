"""The door: the one place between nnU-Net's arrays and what a generator eats.

nnU-Net space holds what nnU-Net's preprocessing wrote: its axis order, intensities normalised by its plans. Generator
space holds the same image with the axes that the generator was trained on and intensities in [-1, 1] by the image's own
window; there the label hint has been applied, and image goes on beyond its border. Images from files come to nnU-Net
space first, by `preprocessed`.
"""

from dataclasses import dataclass

import torch

from intrastyler_nnunet.model.borders import Inside
from intrastyler_nnunet.model.metadata import GeneratorMetadata, LabelHint
from intrastyler_nnunet.translation.label_hint import apply_label_hint
from intrastyler_nnunet.translation.windows import from_generator_space, to_generator_space


@dataclass(frozen=True)
class GeneratorSpace:
    """How one generator sees images.

    Attributes:
        axes: generator axis i is axis axes[i] of nnU-Net's arrays.
        label_hint: how source labels change its input; None: they do not.
    """

    axes: tuple[int, ...]
    label_hint: LabelHint | None = None

    @classmethod
    def of(cls, metadata: GeneratorMetadata) -> "GeneratorSpace":
        """The space of a generator with these metadata."""
        return cls(metadata.axes, metadata.label_hint)

    def enter(
        self,
        images: torch.Tensor,
        windows: torch.Tensor,
        labels: torch.Tensor | None = None,
        outside: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """A generator's input of images in nnU-Net space.

        Args:
            images: (B, 1, *spatial) in nnU-Net space and axis order.
            windows: (B, 2), each image's intensity window.
            labels: (B, 1, *spatial), of source images; without them no label hint is applied.
            outside: (B, 1, *spatial), bool, voxels that are no image; the image is mirrored there.

        Returns:
            (B, 1, X, Y, Z) in [-1, 1].
        """
        seen = to_generator_space(images.float(), windows)
        if labels is not None:
            seen = apply_label_hint(seen, windows, labels, self.label_hint)
        seen = self.turned(seen)
        return seen if outside is None else Inside(self.turned(~outside)).continued(seen, "reflect")

    def leave(self, images: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        """Inverse of `enter` but for hint and border: (B, 1, X, Y, Z) in [-1, 1] -> (B, 1, *spatial)."""
        return from_generator_space(self.turned_back(images), windows)

    def turned(self, images: torch.Tensor) -> torch.Tensor:
        """Turn nnU-Net's axis order to the generator's, for (B, C, *spatial) of any meaning."""
        return images.permute(0, 1, *(2 + axis for axis in self.axes)).contiguous()

    def turned_back(self, images: torch.Tensor) -> torch.Tensor:
        """Inverse of `turned`."""
        return images.permute(0, 1, *(2 + self.axes.index(axis) for axis in range(3))).contiguous()
