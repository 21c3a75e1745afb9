"""Translation to exemplars during nnU-Net's training: generators, style banks and source windows in one place."""

import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from intrastyler_nnunet.devices import moved_together
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.cases import one_channel_plans
from intrastyler_nnunet.styles.bank import BANK_FILE, StyleBank, bank_of_generator, style_bank
from intrastyler_nnunet.styles.sampling import KEEP_SOURCE, StyleDraw, styles_of
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.translation.windows import read_windows

SPACING_TOLERANCE = 0.05
SMALL_PATCH = 0.7  # of the size that the generator was trained on, along any axis


class ExemplarTranslation:
    """Translates batches and whole cases to exemplars of one generator, or of several (an ensemble, MultiNets).

    The exemplars of all generators are numbered through, in the generators' order; each is translated to by its own.
    """

    def __init__(
        self,
        translators: Sequence[Translator],
        banks: Sequence[StyleBank],
        source_windows: dict[str, tuple[float, float]],
        device: torch.device | str,
        channel: int = 0,
        acquisition: bool | None = None,
    ):
        """
        Args:
            translators: one per generator.
            banks: their style banks.
            source_windows: intensity windows of the source cases.
            device: where batches are.
            channel: the image channel that is translated.
            acquisition: whether translations get their exemplars' noise, sharpness and quantiles; None: those of
                generators that were trained for it.

        Raises:
            InputError: they shall, and a bank does not have these.
        """
        self.translators = translators
        self.banks = banks
        self.source_windows = source_windows
        self.device = device
        self.channel = slice(channel, channel + 1)
        # Which generator each exemplar belongs to; needed several times in every step.
        self.generators = np.repeat(np.arange(len(banks)), [len(bank.names) for bank in banks])
        self.tables = [
            [bank.vectors, bank.windows, *([] if rows is None else [rows])]
            for translator, bank in zip(translators, banks, strict=False)
            for rows in [bank.acquisitions_for(translator.generator.metadata, acquisition)]
        ]
        self._on_device = [[table.to(device) for table in tables] for tables in self.tables]

    def __len__(self) -> int:
        """Number of exemplars in all banks."""
        return len(self.generators)

    @property
    def needs_labels(self) -> bool:
        """Whether any generator was trained with a label hint."""
        return any(translator.space.label_hint is not None for translator in self.translators)

    def translate_batch(
        self,
        images: torch.Tensor,
        outside: torch.Tensor | None,
        labels: torch.Tensor | None,
        cases: Sequence[str],
        draw: StyleDraw,
        noise: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Translate one channel of each sample to its style.

        Args:
            images: (B, C, *spatial) on the device, in nnU-Net space.
            outside: (B, C, *spatial) bool, voxels outside the image; None: there are none.
            labels: (B, 1, *spatial) source labels; may be None unless `needs_labels`.
            cases: the B samples' case names.
            draw: the B samples' styles.
            noise: on the device, random numbers for the acquisition; None: PyTorch's own.

        Returns:
            A new tensor like `images`.
        """
        for number, translator in enumerate(self.translators):
            chosen, own = self._of(number, draw)
            if len(chosen) == 0:
                continue
            styles, target_windows, *acquisitions = styles_of(own, *self._on_device[number])
            windows = torch.tensor([self.source_windows[cases[i]] for i in chosen])
            sample, windows = moved_together([torch.from_numpy(chosen), windows], self.device)
            translated = images.clone()
            translated[sample, self.channel] = translator(
                images[sample, self.channel],
                windows,
                styles,
                target_windows,
                None if outside is None else outside[sample, self.channel],
                None if labels is None else labels[sample],
                *acquisitions,
                noise=noise,
            )
            images = translated
        return images

    def translate_case(
        self, image: np.ndarray, labels: np.ndarray, case: str, draw: StyleDraw, seed: int = 0
    ) -> list[np.ndarray]:
        """Translate a preprocessed case of any size.

        Args:
            image: (C, *spatial) in nnU-Net space, of which one channel is translated.
            labels: (1 or more, *spatial) as preprocessed, -1 outside the nonzero region.
            case: its name.
            draw: S styles.
            seed: of the acquisition's noise, which is another one for each case and style.

        Returns:
            For each style, (C, *spatial), float32.
        """
        # Copies, because nnU-Net's memory maps are read-only.
        source = np.array(image, dtype=np.float32)
        segmentation = torch.from_numpy(np.array(labels[:1], dtype=np.int16))[None]
        channel = torch.from_numpy(source[self.channel].copy())[None]
        outside = (segmentation == -1) & (channel == 0)
        window = torch.tensor([self.source_windows[case]])
        results = [source.copy() for _ in draw.exemplars]  # as they are where the draw keeps the source
        for number, translator in enumerate(self.translators):
            chosen, own = self._of(number, draw)
            if len(chosen) == 0:
                continue
            styles, target_windows, *rows = styles_of(own, *self.tables[number])
            given = (channel, window, styles, target_windows, outside if outside.any() else None, segmentation)
            seeds = [_noise_seed(seed, case, draw, place) for place in chosen]
            volumes = self._volumes(translator, given, *rows, seeds=seeds)
            for place, translated in zip(chosen, volumes, strict=True):
                results[place][self.channel] = translated[0].numpy()
        return results

    def _volumes(
        self, translator: Translator, given: tuple, acquisitions: torch.Tensor | None = None, seeds: Sequence[int] = ()
    ) -> list[torch.Tensor]:
        """`Translator.volume` with features in the memory of the GPU, or in that of the host if they do not fit."""
        if torch.device(self.device).type == "cuda":
            with suppress(torch.OutOfMemoryError):
                moved = (None if part is None else part.to(self.device) for part in given)
                return [v.cpu() for v in translator.volume(*moved, acquisitions=acquisitions, seeds=seeds)]
            torch.cuda.empty_cache()
        return list(translator.volume(*given, acquisitions=acquisitions, seeds=seeds))

    def _of(self, number: int, draw: StyleDraw) -> tuple[np.ndarray, StyleDraw]:
        """Which samples are translated by one generator, and their styles in its own numbers."""
        own = (draw.exemplars != KEEP_SOURCE) & (self.generators[draw.exemplars] == number)
        chosen = np.flatnonzero(own)
        first = int(np.flatnonzero(self.generators == number)[0])
        return chosen, StyleDraw(draw.exemplars[chosen] - first, draw.partners[chosen] - first, draw.t[chosen])


def load_exemplar_translation(
    generator_paths: Sequence[Path],
    plans: PlansManager,
    configuration_name: str,
    device: torch.device,
    regions: bool,
    channel: int = 0,
    bank_file: Path | None = None,
    acquisition: bool | None = None,
    **translator_options,
) -> tuple[ExemplarTranslation, list[str]]:
    """Everything training needs from the files of one nnU-Net configuration.

    Args:
        generator_paths: files of one generator or more.
        plans: nnU-Net's plans of the dataset.
        configuration_name: the configuration that is trained.
        device: the training device.
        regions: whether nnU-Net trains on regions, which leaves no label values for a label hint.
        channel: the image channel that is translated.
        bank_file: style bank of the only generator, instead of the one of the target cases.
        acquisition: of `ExemplarTranslation`.
        translator_options: of `Translator`.

    Returns:
        The translation, and warnings for the log.

    Raises:
        InputError: a generator cannot be read or does not fit the plans; target cases are missing; the style bank is
            another generator's.
    """
    alone = one_channel_plans(plans, channel)
    configuration = folders.read_configuration(alone, configuration_name)
    source_folder = folders.configuration_folder(plans.dataset_name, plans, configuration_name)
    target_folder = folders.target_folder(plans.dataset_name, plans, configuration_name)
    bank_folder = folders.synthesizer_folder(plans.dataset_name, plans.plans_name, configuration_name)
    translators, banks, warnings = [], [], []
    for number, path in enumerate(generator_paths, start=1):
        generator = Generator.load(path, device)
        try:
            found = check_generator_fits(generator.metadata, alone, configuration)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        warnings += [f"{path}: {warning}" for warning in found]
        if generator.metadata.label_hint is not None and regions:
            raise InputError(f"{path}: trained with a label hint, but the dataset trains on regions")
        translators.append(Translator(generator, **translator_options))
        bank_path = bank_folder / (BANK_FILE if len(generator_paths) == 1 else f"style_bank_{number}.safetensors")
        # Ranks and folds wait for each other by the bank's lock, which has no time limit as a barrier has.
        if bank_file is None:
            patch_size = tuple(configuration.patch_size)
            banks.append(style_bank(generator, path, target_folder, patch_size, bank_path, device))
        else:
            banks.append(bank_of_generator(bank_file, path))
    source_windows = read_windows(source_folder, channel=channel)
    return ExemplarTranslation(translators, banks, source_windows, device, channel, acquisition), warnings


def _noise_seed(seed: int, case: str, draw: StyleDraw, place: int) -> int:
    """A seed that does not depend on what else is translated."""
    exemplar, partner, t = draw.exemplars[place], draw.partners[place], draw.t[place]
    return zlib.crc32(f"{seed} {case} {exemplar} {partner if t else exemplar} {t:.6f}".encode())


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
