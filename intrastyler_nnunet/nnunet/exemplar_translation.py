"""Translation during nnU-Net's training: generator, style bank and source windows in one place."""
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import distributed

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.channels import one_channel_plans
from intrastyler_nnunet.styles.bank import FILE_NAME as BANK_FILE
from intrastyler_nnunet.styles.bank import StyleBank, style_bank
from intrastyler_nnunet.styles.sampling import KEEP_SOURCE, StyleDraw, styles_of
from intrastyler_nnunet.translation.space import read_windows
from intrastyler_nnunet.translation.translator import Translator, check_generator_fits


class OnlineTranslation:
    """Translates batches and whole cases to exemplars of the style bank."""

    def __init__(
        self,
        translator: Translator,
        bank: StyleBank,
        source_windows: dict[str, tuple[float, float]],
        device: torch.device | str,
        channel: int = 0,
    ):
        """`source_windows`: by case; `channel`: the image channel that is translated."""
        self.translator = translator
        self.bank = bank
        self.source_windows = source_windows
        self.device = device
        self.channel = slice(channel, channel + 1)
        self.styles = bank.vectors.to(device)
        self.target_windows = bank.windows.to(device)

    def __len__(self) -> int:
        """Number of exemplars in the bank."""
        return len(self.styles)

    @property
    def needs_labels(self) -> bool:
        """Whether the generator was trained with a label hint."""
        return self.translator.label_hint is not None

    def translate_batch(
        self,
        images: torch.Tensor,
        outside: torch.Tensor,
        labels: torch.Tensor | None,
        cases: Sequence[str],
        draw: StyleDraw,
    ) -> torch.Tensor:
        """Translate one channel of each sample to its style.

        Args:
            images: (B, C, *spatial) on the device, in nnU-Net space.
            outside: (B, C, *spatial) bool, voxels outside the image.
            labels: (B, 1, *spatial) source labels; may be None unless `needs_labels`.
            cases: the B samples' case names.
            draw: the B samples' styles.

        Returns:
            A new tensor like `images`.
        """
        chosen = np.flatnonzero(draw.exemplars != KEEP_SOURCE)
        if len(chosen) == 0:
            return images
        draw = StyleDraw(draw.exemplars[chosen], draw.partners[chosen], draw.t[chosen])
        styles, target_windows = styles_of(draw, self.styles, self.target_windows)
        sample = self._on_device(chosen)
        windows = np.array([self.source_windows[cases[i]] for i in chosen], dtype=np.float32)
        translated = images.clone()
        translated[sample, self.channel] = self.translator(
            images[sample, self.channel],
            self._on_device(windows),
            styles,
            target_windows,
            outside[sample, self.channel],
            None if labels is None else labels[sample],
        )
        return translated

    def translate_case(self, image: np.ndarray, labels: np.ndarray, case: str, draw: StyleDraw) -> list[np.ndarray]:
        """Translate a preprocessed case of any size.

        Args:
            image: (C, *spatial) in nnU-Net space, of which one channel is translated.
            labels: (1 or more, *spatial) as preprocessed, -1 outside the nonzero region.
            case: its name.
            draw: S styles, none of them KEEP_SOURCE.

        Returns:
            For each style, (C, *spatial), float32.
        """
        # Copies, because nnU-Net's memory maps are read-only.
        source = np.array(image, dtype=np.float32)
        segmentation = torch.from_numpy(np.array(labels[:1], dtype=np.int16))[None]
        styles, target_windows = styles_of(draw, self.bank.vectors, self.bank.windows)
        outside = (segmentation[0].numpy() == -1) & (source[self.channel] == 0)
        window = torch.tensor([self.source_windows[case]])
        results = []
        for translated in self.translator.volume(
            torch.from_numpy(source[self.channel].copy())[None], window, styles, target_windows, segmentation
        ):
            result = source.copy()
            result[self.channel] = np.where(outside, 0.0, translated[0].numpy())
            results.append(result)
        return results

    def _on_device(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(self.device, non_blocking=True)


def load_online_translation(
    generator_path: Path,
    plans: PlansManager,
    configuration_name: str,
    device: torch.device,
    regions: bool,
    channel: int = 0,
    bank_name: str = BANK_FILE,
    **translator_options,
) -> tuple[OnlineTranslation, list[str]]:
    """Everything training needs from the files of one nnU-Net configuration.

    Args:
        generator_path: a generator's file.
        plans: nnU-Net's plans of the dataset.
        configuration_name: the configuration that is trained.
        device: the training device.
        regions: whether nnU-Net trains on regions, which leaves no label values for a label hint.
        channel: the image channel that is translated.
        bank_name: file of the style bank beside the generator of this configuration.
        translator_options: of `Translator`.

    Returns:
        The translation and warnings for the log.

    Raises:
        InputError: the generator cannot be read or does not fit the plans; target cases are missing.
    """
    dataset = plans.dataset_name
    alone = one_channel_plans(plans, channel)
    configuration = folders.read_configuration(alone, configuration_name)
    source_folder = folders.configuration_folder(dataset, plans, configuration_name)
    target_folder = folders.require_target(dataset, plans, configuration_name)
    bank_path = folders.synthesizer_folder(dataset, plans.plans_name, configuration_name) / bank_name
    generator = Generator.load(generator_path, device)
    try:
        warnings = check_generator_fits(generator.metadata, alone, configuration)
    except InputError as error:
        raise InputError(f"{generator_path}: {error}") from None
    if generator.metadata.label_hint is not None and regions:
        raise InputError(f"{generator_path}: trained with a label hint, but the dataset trains on regions")
    translator = Translator(generator, **translator_options)
    patch_size = tuple(configuration.patch_size)
    with _first_rank_first():
        bank = style_bank(generator, generator_path, target_folder, patch_size, bank_path, device)
        source_windows = read_windows(source_folder, channel=channel)
    return OnlineTranslation(translator, bank, source_windows, device, channel), warnings


@contextmanager
def _first_rank_first() -> Iterator[None]:
    """Rank 0 runs the block before the other ranks do, which then find its files."""
    distributed_run = distributed.is_available() and distributed.is_initialized()
    if distributed_run and distributed.get_rank() != 0:
        distributed.barrier()
    yield
    if distributed_run and distributed.get_rank() == 0:
        distributed.barrier()
