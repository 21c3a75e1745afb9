"""Style vectors of image files, which go through nnU-Net's preprocessing first, as the exemplars did."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.exemplar_translation import check_generator_fits
from intrastyler_nnunet.nnunet.settings import GENERATOR_FILE
from intrastyler_nnunet.nnunet.target.raw_images import check_target_image, find_target_images
from intrastyler_nnunet.styles.bank import (
    BANK_FILE,
    StyleBank,
    bank_of_generator,
    exemplar_acquisition,
    exemplar_style,
    style_bank,
)
from intrastyler_nnunet.translation.windows import intensity_window


@dataclass(frozen=True)
class StyleSpace:
    """A generator with the plans it works on and the exemplars it knows."""

    generator: Generator
    bank: StyleBank
    plans: PlansManager
    configuration: ConfigurationManager
    dataset_json: dict
    device: torch.device

    @property
    def patch_size(self) -> tuple[int, ...]:
        """Size of the patches whose style vectors are averaged, in nnU-Net's axis order."""
        return self.generator.metadata.style_patch_size or tuple(self.configuration.patch_size)


def generator_file(dataset: str, plans_name: str, configuration_name: str, given: Path | None) -> Path:
    """`given`, or where `intrastyler pretrain` puts the generator."""
    return given or folders.synthesizer_folder(dataset, plans_name, configuration_name) / GENERATOR_FILE


def open_style_space(
    dataset: str, plans_name: str, configuration_name: str, generator_path: Path | None, device: torch.device,
    bank_file: Path | None = None,
) -> StyleSpace:  # fmt: skip
    """Load the generator of a dataset and build or read its style bank.

    Args:
        dataset, plans_name, configuration_name: what the generator was trained on.
        generator_path: None: where `intrastyler pretrain` puts it.
        device: where the style encoder runs.
        bank_file: style bank of the generator, instead of the one of the target cases.

    Raises:
        InputError: no generator, or one that does not fit the plans or has no style encoder; no target images; the
            style bank is another generator's.
    """
    plans = folders.read_plans(dataset, plans_name)
    configuration = folders.read_configuration(plans, configuration_name)
    folder = folders.synthesizer_folder(dataset, plans_name, configuration_name)
    path = generator_file(dataset, plans_name, configuration_name, generator_path)
    generator = Generator.load(path, device).eval()
    check_generator_fits(generator.metadata, plans, configuration)
    if generator.style_encoder is None:
        raise InputError(f"{path}: trained by method {generator.metadata.method}, expected one with a style encoder")
    if bank_file is None:
        target = folders.require_target(dataset, plans, configuration_name)
        bank = style_bank(generator, path, target, tuple(configuration.patch_size), folder / BANK_FILE, device)
    else:
        bank = bank_of_generator(bank_file, path)
    return StyleSpace(generator, bank, plans, configuration, folders.read_dataset_json(dataset), device)


@torch.no_grad()
def image_bank(space: StyleSpace, image_folder: Path) -> StyleBank:
    """The styles of the images in a folder (see `preprocessed_images`)."""
    names, windows, vectors, dispersions, acquisitions = [], [], [], [], []
    for name, volume in preprocessed_images(space, image_folder):
        window, image = intensity_window(volume[0]), torch.from_numpy(volume).to(space.device)
        vector, dispersion = exemplar_style(space.generator, image, window, space.patch_size)
        names.append(name)
        windows.append(window)
        vectors.append(vector.cpu())
        dispersions.append(dispersion.cpu())
        acquisitions.append(exemplar_acquisition(space.generator.metadata, image, window).cpu())
    return StyleBank(
        tuple(names), torch.stack(vectors), torch.tensor(windows), torch.stack(dispersions),
        acquisitions=torch.stack(acquisitions),
    )  # fmt: skip


def preprocessed_images(space: StyleSpace, image_folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and volume (1, *spatial), in nnU-Net space, of the images `<case>_0000<file ending>` in a folder.

    Raises:
        InputError: there is none, or one cannot be used; all are looked at before the first is handed out.
    """
    images = find_target_images(image_folder, space.dataset_json["file_ending"])
    for path in images.values():
        problem = check_target_image(path, space.plans, [space.configuration])
        if problem:
            raise InputError(problem)
    preprocessor = space.configuration.preprocessor_class(verbose=False)
    for name, path in tqdm(images.items(), "styles"):
        data, _, _ = preprocessor.run_case([str(path)], None, space.plans, space.configuration, space.dataset_json)
        yield name, np.asarray(data, dtype=np.float32)


@torch.no_grad()
def volume_style(space: StyleSpace, volume: np.ndarray) -> torch.Tensor:
    """Style vector (K,) of a volume (1, *spatial) in nnU-Net space."""
    image = torch.from_numpy(volume).to(space.device)
    return exemplar_style(space.generator, image, intensity_window(volume[0]), space.patch_size)[0].cpu()
