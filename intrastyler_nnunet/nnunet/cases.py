"""Random patches of source and target, read straight from nnU-Net's blosc2 chunks."""

from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.translation.space import read_windows, to_generator_space


@dataclass(frozen=True)
class TrainingPatches:
    """One sample in generator space and generator axis order, each (1, 1, X, Y, Z)."""

    source: torch.Tensor
    source_window: torch.Tensor  # (1, 2) of its case
    source_labels: torch.Tensor
    target: torch.Tensor
    style_query: torch.Tensor  # two random places of the target patch's own volume
    style_positive: torch.Tensor
    style_code: torch.Tensor  # (1, K) of the target case, where styles are codes; else (1, 0)

    def to(self, device: torch.device) -> "TrainingPatches":
        """The same on `device`."""
        return TrainingPatches(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})

    def pin_memory(self) -> "TrainingPatches":
        """The same in page-locked memory, from where a copy to the device need not be waited for."""
        return TrainingPatches(**{name: value.pin_memory() for name, value in vars(self).items()})


class PreprocessedCases:
    """The preprocessed cases of one domain with their intensity windows; with `codes`, only the cases that have one.

    Of several image channels only `channel` is used. Heads are mirrored along `left_right`, an axis of the generator.

    Raises:
        InputError: the folder has no case, or a case is smaller than the patch.
    """

    def __init__(
        self,
        folder: Path,
        axes: tuple[int, int, int],
        codes: dict[str, tuple[float, ...]] | None = None,
        channel: int = 0,
        left_right: int = 0,
    ):
        from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

        self.axes = axes
        self.channel = channel
        self.left_right = left_right
        self.windows = read_windows(folder, channel=channel)
        if not self.windows:
            raise InputError(f"{folder}: no preprocessed cases found")
        self.codes = codes or {}
        self.dataset = nnUNetDatasetBlosc2(str(folder), sorted(self.codes or self.windows))
        self.names = self.dataset.identifiers
        self.shapes = {name: self.dataset.load_case(name)[0].shape[1:] for name in self.names}

    def smallest(self) -> tuple[int, ...]:
        """The smallest extent along each axis over all cases."""
        return tuple(np.min(list(self.shapes.values()), axis=0).tolist())

    def patch(self, name: str, start: np.ndarray, size: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Image patch in [-1, 1] and its labels (zero outside the labelled region), in generator axis order."""
        data, labels = self.dataset.load_case(name)[:2]
        box = tuple(slice(int(s), int(s) + n) for s, n in zip(start, size, strict=True))
        image = torch.from_numpy(np.array(data[(slice(self.channel, self.channel + 1), *box)]))[None]
        image = to_generator_space(image, self.window(name))
        labels = torch.from_numpy(np.array(labels[(slice(0, 1), *box)])).clamp(min=0)[None]
        order = (0, 1, *(2 + axis for axis in self.axes))
        return image.permute(order), labels.permute(order)

    def window(self, name: str) -> torch.Tensor:
        """The intensity window (1, 2) of the case."""
        return torch.tensor([self.windows[name]])

    def central_patch(self, name: str, size: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """The patch of `size` in the middle of the case, and its labels."""
        start = [(extent - length) // 2 for extent, length in zip(self.shapes[name], size, strict=True)]
        return self.patch(name, np.array(start), size)

    def of(self, subject: str) -> list[str]:
        """Names of the cases that show `subject`: they begin with its name."""
        return [name for name in self.names if name.startswith(f"{subject}_")]

    def only(self, names: list[str]) -> "PreprocessedCases":
        """The same with some of the cases."""
        chosen = copy(self)
        chosen.names = names
        return chosen

    def random_patch(
        self, rng: np.random.Generator, name: str, size: tuple[int, ...]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A patch of `size` anywhere in the case, and its labels."""
        start = [rng.integers(0, extent - n + 1) for extent, n in zip(self.shapes[name], size, strict=True)]
        return self.patch(name, np.array(start), size)


def sample_patches(
    rng: np.random.Generator, source: PreprocessedCases, target: PreprocessedCases,
    patch_size: tuple[int, ...], style_patch_size: tuple[int, ...],
) -> TrainingPatches:  # fmt: skip
    """Draw a source case and an exemplar, and their patches; each pair is mirrored left-right by a coin toss."""
    source_name, target_name = rng.choice(source.names), rng.choice(target.names)
    image, labels = source.random_patch(rng, source_name, patch_size)
    exemplar = target.random_patch(rng, target_name, patch_size)[0]
    query, positive = (target.random_patch(rng, target_name, style_patch_size)[0] for _ in range(2))
    if rng.random() < 0.5:
        image, labels = (x.flip(2 + source.left_right) for x in (image, labels))
    if rng.random() < 0.5:
        exemplar = exemplar.flip(2 + target.left_right)
    code = torch.tensor([target.codes.get(target_name, ())])
    return TrainingPatches(image, source.window(source_name), labels, exemplar, query, positive, code)


def exemplar_patch(rng: np.random.Generator, target: PreprocessedCases, size: tuple[int, ...]) -> torch.Tensor:
    """A random patch (1, 1, X, Y, Z) of a random exemplar."""
    return target.random_patch(rng, rng.choice(target.names), size)[0]


def batch_of(samples: list[TrainingPatches]) -> TrainingPatches:
    """Stack samples to a batch."""
    names = TrainingPatches.__dataclass_fields__
    return TrainingPatches(**{name: torch.cat([getattr(sample, name) for sample in samples]) for name in names})
