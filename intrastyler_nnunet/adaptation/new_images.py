"""Unlabelled images of a new scanner: are they of the target's kind, and how far do they lie from the exemplars?"""

from pathlib import Path

import numpy as np
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from intrastyler_nnunet.errors import InputError, require_none
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.target.raw_images import find_target_images
from intrastyler_nnunet.offline.style_space import StyleSpace, image_bank, volume_style
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.coverage import degrees_between
from intrastyler_nnunet.translation.windows import named_case

COARSEST = 4.0  # times the plans' voxel along an axis, or as much finer; slices of the challenge differ by that much
SOURCE_CASES = 20  # whose styles new images are compared with; more cost time only


def bank_of_new_images(space: StyleSpace, folder: Path) -> StyleBank:
    """The styles of new images, which have the target's modality.

    Args:
        space: of the generator, with at least two exemplars.
        folder: of `<case>_0000<file ending>` images.

    Raises:
        InputError: there are none; one cannot be used, or has voxels of another order of size than the plans; one looks
            more like the source images than like any exemplar.
    """
    if len(space.bank.names) < 2:
        raise InputError(f"{len(space.bank.names)} exemplar in the style bank, expected at least two to compare with")
    images = find_target_images(folder, space.dataset_json["file_ending"])
    _require_spacings(space, list(images.values()))
    bank = image_bank(space, folder)
    _require_target_modality(space, bank, images)
    return bank


def _require_spacings(space: StyleSpace, images: list[Path]) -> None:
    planned = np.array(space.configuration.spacing)
    problems = []
    for path in images:
        try:
            found = space.plans.image_reader_writer_class().read_images([str(path)])[1]["spacing"]
        except Exception:  # whatever nnU-Net's readers raise; `image_bank` says what is wrong
            continue
        spacing = np.array(found)[list(space.plans.transpose_forward)]
        ratio = np.maximum(spacing / planned, planned / spacing).max()
        if ratio > COARSEST:
            problems.append(
                f"{path}: voxels of {_millimetres(spacing)}, expected at most {COARSEST:g} times as coarse or fine as "
                f"the plans' {_millimetres(planned)}"
            )
    require_none(problems, f"{len(images)} images, nothing is written")


def _require_target_modality(space: StyleSpace, new: StyleBank, images: dict[str, Path]) -> None:
    names, vectors = _source_styles(space)
    if not names:
        return
    to_source = degrees_between(new.vectors, vectors).min(dim=1)
    to_target = degrees_between(new.vectors, space.bank.vectors).min(dim=1)
    problems = []
    for i in torch.nonzero(to_source.values < to_target.values).flatten().tolist():
        source, target = names[int(to_source.indices[i])], space.bank.names[int(to_target.indices[i])]
        problems.append(
            f"{images[new.names[i]]}: its style is {float(to_source.values[i]):.1f} degrees from the source image "
            f"{source} and {float(to_target.values[i]):.1f} from the nearest exemplar {target}, expected an image of "
            "the target modality"
        )
    require_none(problems, f"{len(images)} images, nothing is written")


def _source_styles(space: StyleSpace) -> tuple[list[str], torch.Tensor]:
    """Names and style vectors (S, K) of source cases, evenly from all; none where they are not preprocessed."""
    folder = folders.preprocessed_folder(space.plans.dataset_name) / space.configuration.data_identifier
    cases = folders.case_names(folder)
    chosen = [cases[i] for i in np.unique(np.linspace(0, len(cases) - 1, SOURCE_CASES).round().astype(int)) if cases]
    vectors = []
    for name in chosen:
        with named_case(folder / name):
            volume = np.array(nnUNetDatasetBlosc2(str(folder), [name]).load_case(name)[0][:1], dtype=np.float32)
        vectors.append(volume_style(space, volume))
    return chosen, torch.stack(vectors) if vectors else torch.empty(0, len(space.bank.vectors[0]))


def _millimetres(spacing: np.ndarray) -> str:
    return " x ".join(f"{size:.3g}" for size in spacing) + " mm"
