"""Translate image files to the styles of exemplars."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK
import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.grids import SamplingGrid, require_same_grid
from intrastyler_nnunet.images import IMAGE_ENDINGS, read_volume, require_contrast, write_image
from intrastyler_nnunet.label_maps import read_label_map
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.offline.volumes import on_own_grid, preprocessed
from intrastyler_nnunet.styles.bank import StyleBank, exemplar_acquisition, exemplar_style
from intrastyler_nnunet.styles.slerp import slerp
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.translation.windows import intensity_window


@dataclass(frozen=True)
class Style:
    """A style to translate to."""

    name: str
    vector: torch.Tensor  # (K,)
    window: torch.Tensor  # (2,) intensities of the translation
    acquisition: torch.Tensor | None = None  # (COLUMNS,) of the exemplar, if translations are to be acquired like it


def style_of_file(generator: Generator, path: Path, acquisition: bool | None = None) -> Style:
    """The style of an image file; translations to it have its intensities.

    With `acquisition` they get its noise, sharpness and quantiles; None: if the generator was trained for it.

    Raises:
        InputError: see `read_volume`; the generator has no style encoder.
    """
    metadata = generator.metadata
    if generator.style_encoder is None:
        raise InputError(f"{path}: the generator's method is {metadata.method}, which takes no exemplar files")
    image = read_volume(path)
    volume = preprocessed(image, metadata).volume[0]
    _require_usable(volume, generator, path)
    device = next(generator.parameters()).device
    patch_size = metadata.style_patch_size or tuple(volume.shape[1:])
    with torch.no_grad():
        window = intensity_window(volume.numpy())
        vector, _ = exemplar_style(generator, volume.to(device), window, patch_size)
    wanted = metadata.acquisition if acquisition is None else acquisition
    row = exemplar_acquisition(metadata, volume, window) if wanted else None
    own = preprocessed(image, metadata, normalised=False).volume.numpy()
    return Style(file_stem(path), vector.cpu(), torch.tensor(intensity_window(own)), row)


def style_from_bank(bank: StyleBank, name: str, path: Path, rows: torch.Tensor | None = None) -> Style:
    """A style by its exemplar's name, and its row of acquisitions.

    Raises InputError if the bank (read from `path`) does not have it.
    """
    if name not in bank.names:
        raise InputError(f"{path}: no exemplar {name}, expected one such as {bank.names[0]}")
    return _style_at(bank, bank.names.index(name), rows)


def random_styles(bank: StyleBank, count: int, seed: int, rows: torch.Tensor | None = None) -> list[Style]:
    """`count` different exemplars of the bank. Raises InputError if it has fewer."""
    if not 1 <= count <= len(bank.names):
        raise InputError(f"{count} random styles, expected 1 to {len(bank.names)}, the exemplars in the bank")
    chosen = np.random.default_rng(seed).choice(len(bank.names), count, replace=False)
    return [_style_at(bank, i, rows) for i in chosen]


def _style_at(bank: StyleBank, index: int, rows: torch.Tensor | None) -> Style:
    return Style(bank.names[index], bank.vectors[index], bank.windows[index], None if rows is None else rows[index])


def between(first: Style, second: Style, t: float) -> Style:
    """The style at `t` (0 to 1) on the arc from the first style to the second (paper section 2.4)."""
    if not 0 <= t <= 1:
        raise InputError(f"t is {t:g}, expected 0 (the first exemplar) to 1 (the second)")
    vector = slerp(first.vector[None], second.vector[None], torch.tensor([t]))[0]
    row = None if first.acquisition is None else torch.lerp(first.acquisition, second.acquisition, t)
    return Style(f"{first.name}-{second.name}-{t:g}", vector, torch.lerp(first.window, second.window, t), row)


def translate_file(
    translator: Translator, path: Path, labels: Path | None, styles: list[Style], outputs: list[Path], slab: int,
    seed: int = 0,
) -> None:  # fmt: skip
    """Translate one image file to each style and write it in its own grid, float32.

    `seed`: of the acquisition's noise, which is another one for each file and style.

    Raises:
        InputError: see `read_volume`; a generator with a label hint and no labels; labels on another grid.
    """
    metadata = translator.generator.metadata
    image = read_volume(path)
    label_map = None
    if translator.space.label_hint is not None:
        label_map = _read_labels(labels, path, image)
    file = preprocessed(image, metadata, label_map)
    _require_usable(file.volume[0], translator.generator, path)
    results = translator.volume(
        file.volume,
        torch.tensor([intensity_window(file.volume.numpy())]),
        torch.stack([style.vector for style in styles]),
        torch.stack([style.window for style in styles]),
        file.outside,
        file.labels,
        slab,
        None if styles[0].acquisition is None else torch.stack([style.acquisition for style in styles]),
        [zlib.crc32(f"{seed} {file_stem(path)} {style.name}".encode()) for style in styles],
    )
    for result, style, output in zip(results, styles, outputs, strict=True):
        write_image(on_own_grid(result, file, metadata, float(style.window[0])), output)


def _require_usable(volume: torch.Tensor, generator: Generator, path: Path) -> None:
    """Raise InputError if nothing is to be seen in a preprocessed volume (1, *spatial), or if it is too small."""
    require_contrast(volume.numpy(), path)
    smallest = generator.config.smallest_image
    if any(volume.shape[1 + axis] < least for axis, least in zip(generator.metadata.axes, smallest, strict=True)):
        found = " x ".join(map(str, volume.shape[1:]))
        raise InputError(f"{path}: {found} voxels of the generator's size, expected at least {max(smallest)} an axis")


def _read_labels(labels: Path | None, path: Path, image: SimpleITK.Image) -> SimpleITK.Image:
    if labels is None:
        raise InputError(f"{path}: the generator was trained with a label hint, expected the image's label map too")
    label_map = read_label_map(labels)
    require_same_grid(label_map.grid, SamplingGrid.of(image), labels, path)
    return label_map.image


def file_stem(path: Path) -> str:
    """The file's name without the ending of an image."""
    ending = next((ending for ending in IMAGE_ENDINGS if path.name.endswith(ending)), "")
    return path.name.removesuffix(ending)
