"""Translation during nnU-Net's training: generator, style bank and source windows in one place."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetBaseDataset
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import distributed

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.cases import one_channel_plans
from intrastyler_nnunet.styles.bank import BANK_FILE, StyleBank, style_bank
from intrastyler_nnunet.styles.sampling import KEEP_SOURCE, StyleDraw, styles_of
from intrastyler_nnunet.translation.space import read_windows
from intrastyler_nnunet.translation.translator import Translator


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


SPACING_TOLERANCE = 0.05
SMALL_PATCH = 0.7  # of the size that the generator was trained on, along any axis


def check_volumes(configuration: ConfigurationManager) -> None:
    """Raise InputError for a 2D configuration: single slices are not what a generator was trained on."""
    if len(configuration.patch_size) != 3:
        raise InputError(
            "this configuration is 2D, but generators translate volumes, not single slices; expected a 3D "
            "configuration, or nnU-Net's own 2D trainer on the dataset that intrastyler synthesize writes"
        )


def check_generator_fits(
    metadata: GeneratorMetadata, plans: PlansManager, configuration: ConfigurationManager
) -> list[str]:
    """Compare what the generator was trained on with the plans it is to be used on.

    Returns:
        One warning per property the generator's metadata do not state, and one if it was trained on larger patches:
        a small patch has tissues in other proportions than the norms are used to, and comes out worse.

    Raises:
        InputError: spacing (more than 5 % apart on an axis), axis order or normalisation differ, or the
            configuration is not 3D with one image channel.
    """
    check_volumes(configuration)
    if len(configuration.normalization_schemes) != 1:
        raise InputError(f"the plans have {len(configuration.normalization_schemes)} image channels; expected one")
    comparisons = {
        "spacing": (metadata.spacing, configuration.spacing, _close),
        "transpose_forward": (metadata.transpose_forward, plans.transpose_forward, _equal),
        "normalization": (metadata.normalization, configuration.normalization_schemes, _equal),
    }
    warnings = []
    for name, (trained, planned, agree) in comparisons.items():
        if trained is None:
            warnings.append(f"the generator does not state its {name}; assuming the plans' {list(planned)}")
        elif not agree(list(trained), list(planned)):
            raise InputError(f"trained with {name} {list(trained)}, but the plans have {list(planned)}")
    if metadata.patch_size and np.any(np.divide(configuration.patch_size, metadata.patch_size) < SMALL_PATCH):
        warnings.append(
            f"trained on patches of {list(metadata.patch_size)}, but the plans' are {list(configuration.patch_size)}; "
            "small patches have tissues in other proportions and are translated worse"
        )
    return warnings


def _close(trained: list[float], planned: list[float]) -> bool:
    return len(trained) == len(planned) and np.allclose(trained, planned, rtol=SPACING_TOLERANCE, atol=0)


def _equal(trained: list, planned: list) -> bool:
    return trained == planned


def translated_dataset_class(
    stock: type[nnUNetBaseDataset], translate: Callable[[str, np.ndarray, np.ndarray], np.ndarray]
) -> type[nnUNetBaseDataset]:
    """A subclass of `stock` whose `load_case` returns `translate(case, image, labels)` for the image."""

    class TranslatedDataset(stock):
        def load_case(self, identifier: str):
            image, labels, previous_labels, properties = super().load_case(identifier)
            return translate(identifier, image[:], labels[:]), labels, previous_labels, properties

    return TranslatedDataset


class Translations:
    """Exemplars of all generators, numbered through in the generators' order; each is translated to by its own."""

    def __init__(self, members: Sequence[OnlineTranslation]):
        self.members = members
        # Which generator each exemplar belongs to; needed several times in every step.
        self.generators = np.repeat(np.arange(len(members)), [len(member) for member in members])

    def __len__(self) -> int:
        return len(self.generators)

    @property
    def banks(self) -> list[StyleBank]:
        """The style bank of each generator."""
        return [member.bank for member in self.members]

    @property
    def needs_labels(self) -> bool:
        """Whether any generator was trained with a label hint."""
        return any(member.needs_labels for member in self.members)

    def translate_batch(
        self,
        images: torch.Tensor,
        outside: torch.Tensor,
        labels: torch.Tensor | None,
        cases: Sequence[str],
        draw: StyleDraw,
    ) -> torch.Tensor:
        """As `OnlineTranslation.translate_batch`, each sample by the generator of its exemplar."""
        for number, member in enumerate(self.members):
            images = member.translate_batch(images, outside, labels, cases, self._of(number, draw))
        return images

    def translate_case(self, image: np.ndarray, labels: np.ndarray, case: str, draw: StyleDraw) -> np.ndarray:
        """As `OnlineTranslation.translate_case`, to a single style; KEEP_SOURCE returns the image."""
        exemplar = int(draw.exemplars[0])
        if exemplar == KEEP_SOURCE:
            return np.array(image, dtype=np.float32)
        number = self.generators[exemplar]
        return self.members[number].translate_case(image, labels, case, self._of(number, draw))[0]

    def _of(self, number: int, draw: StyleDraw) -> StyleDraw:
        """The draw in one generator's own numbers; KEEP_SOURCE where the sample is another's."""
        first = int(np.flatnonzero(self.generators == number)[0])
        own = (draw.exemplars != KEEP_SOURCE) & (self.generators[draw.exemplars] == number)
        return StyleDraw(np.where(own, draw.exemplars - first, KEEP_SOURCE), draw.partners - first, draw.t)
