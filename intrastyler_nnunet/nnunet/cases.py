"""Random patches of source and target, read straight from nnU-Net's blosc2 chunks."""

from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.translation.space import GeneratorSpace
from intrastyler_nnunet.translation.windows import named_case, read_windows


class PreprocessedCases:
    """The preprocessed cases of one domain with their intensity windows; with `codes`, only the cases that have one.

    Of several image channels only `channel` is used. Heads are mirrored along `left_right`, an axis of the generator.

    Raises:
        InputError: the folder has no case, or a case is smaller than the patch.
    """

    def __init__(
        self,
        folder: Path,
        axes: tuple[int, ...],
        codes: dict[str, tuple[float, ...]] | None = None,
        channel: int = 0,
        left_right: int = 0,
    ):
        from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

        self.folder = folder
        self.space = GeneratorSpace(axes)
        self.channel = channel
        self.left_right = left_right
        self.windows = read_windows(folder, channel=channel)
        if not self.windows:
            raise InputError(f"{folder}: no preprocessed cases found")
        self.codes = codes or {}
        self.dataset = nnUNetDatasetBlosc2(str(folder), sorted(self.codes or self.windows))
        self.names = self.dataset.identifiers
        self.shapes = {name: self.load(name)[0].shape[1:] for name in self.names}

    def load(self, name: str) -> tuple[Any, Any, Any, dict]:
        """Image and labels (C, *spatial), read when they are indexed, labels of the stage before, and properties.

        Raises InputError if nnU-Net cannot read them.
        """
        with named_case(self.folder / name):
            return self.dataset.load_case(name)

    def smallest(self) -> tuple[int, ...]:
        """The smallest extent along each axis over all cases."""
        return tuple(np.min(list(self.shapes.values()), axis=0).tolist())

    def patch(self, name: str, start: np.ndarray, size: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Image patch in [-1, 1] and its labels (zero outside the labelled region), in generator axis order."""
        box = tuple(slice(int(s), int(s) + n) for s, n in zip(start, size, strict=True))
        with named_case(self.folder / name):
            data, labels = self.dataset.load_case(name)[:2]
            image = torch.from_numpy(np.array(data[(slice(self.channel, self.channel + 1), *box)]))[None]
            labels = torch.from_numpy(np.array(labels[(slice(0, 1), *box)])).clamp(min=0)[None]
        return self.space.enter(image, self.window(name)), self.space.turned(labels)

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
        """These cases without all others than `names`."""
        chosen = copy(self)
        chosen.names = names
        return chosen

    def random_patch(
        self, rng: np.random.Generator, name: str, size: tuple[int, ...]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A patch of `size` anywhere in the case, and its labels."""
        start = [rng.integers(0, extent - n + 1) for extent, n in zip(self.shapes[name], size, strict=True)]
        return self.patch(name, np.array(start), size)


PER_CHANNEL = ("normalization_schemes", "use_mask_for_norm")  # entries of a configuration


def translated_channel(dataset_json: dict, name: str | None) -> int:
    """Index of the channel that is translated.

    Args:
        dataset_json: nnU-Net's.
        name: of the channel, as in `channel_names`; None: the only one.

    Raises:
        InputError: no such channel; no name where there are several.
    """
    names = dataset_json.get("channel_names") or dataset_json.get("modality") or {}
    by_name = {channel: int(index) for index, channel in names.items()}
    if not by_name:
        raise InputError("dataset.json: no entry channel_names, expected the names of the image's channels")
    if name is None and len(by_name) == 1:
        return 0
    if name not in by_name:
        found = "no channel is named" if name is None else f"there is no channel {name!r}"
        raise InputError(f"{found}, expected the one to translate: {', '.join(by_name)}")
    return by_name[name]


def one_channel_plans(plans: PlansManager, channel: int) -> PlansManager:
    """The plans as if `channel` were the only one: how images of that channel alone are preprocessed.

    Raises:
        InputError: the plans have no such channel.
    """
    content = deepcopy(plans.plans)
    properties = content["foreground_intensity_properties_per_channel"]
    lists = [configuration.get(entry) for configuration in content["configurations"].values() for entry in PER_CHANNEL]
    if str(channel) not in properties or any(entry and len(entry) <= channel for entry in lists):
        raise InputError(f"{plans.plans_name}.json: has no channel {channel}, expected those of dataset.json")
    for configuration in content["configurations"].values():
        for entry in PER_CHANNEL:
            if entry in configuration:
                configuration[entry] = [configuration[entry][channel]]
    content["foreground_intensity_properties_per_channel"] = {"0": properties[str(channel)]}
    return PlansManager(content)
