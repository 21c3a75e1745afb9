"""The offline route: a complete nnU-Net dataset of translated images, for a stock trainer."""

import hashlib
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK
import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import is_unused, remove_half_written, write_json
from intrastyler_nnunet.grids import label_type
from intrastyler_nnunet.images import write_image
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.nnunet.exemplar_translation import ExemplarTranslation, load_exemplar_translation
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.sampling import StyleDraw, draw_styles, exemplar_probabilities
from intrastyler_nnunet.translation.windows import named_case
from intrastyler_nnunet.typed_json import FileName, Probability, Text, read_json
from intrastyler_nnunet.workers import WHOLE, Part

RECORD = "synthesis.json"
# Entries of dataset.json that are as true of translated images; others name the source's files and their format.
DESCRIPTION = ("channel_names", "modality", "labels", "regions_class_order")


@dataclass(frozen=True)
class OfflineSynthesis:
    """What is synthesized; kept in synthesis.json, and the same for every call that goes on with it."""

    dataset: Text
    plans: Text
    configuration: Text
    generator_sha256: Text
    styles_per_case: int
    policy: Text
    p_slerp: float
    seed: int


@dataclass(frozen=True)
class Provenance:
    """How one synthesized case came about."""

    case: FileName  # the source
    exemplars: tuple[FileName, ...]  # one, or two with the style between them
    t: Probability  # from 0, the first one's style, to 1, the second one's


@dataclass(frozen=True)
class SynthesisRecord:
    """Content of synthesis.json; without cases, the synthesis is not finished."""

    synthesis: OfflineSynthesis
    bank: Text  # fingerprint of the style bank: another set of exemplars gives other draws
    cases: dict[FileName, Provenance]


def read_synthesis(path: Path) -> SynthesisRecord:
    """The synthesis.json of a dataset. Raises InputError if `path` is none."""
    return read_json(path, SynthesisRecord, "a record of intrastyler synthesize")


def describe(
    dataset: str, plans_name: str, configuration: str, generator: Path, styles_per_case: int, policy: str,
    p_slerp: float, seed: int,
) -> OfflineSynthesis:  # fmt: skip
    """Take the generator's checksum."""
    checksum = hashlib.sha256(generator.read_bytes()).hexdigest()
    name = folders.dataset_name(dataset)
    return OfflineSynthesis(name, plans_name, configuration, checksum, styles_per_case, policy, p_slerp, seed)


def synthesize(
    what: OfflineSynthesis, generator: Path, output: Path, device: torch.device, part: Part = WHOLE
) -> int | None:
    """Write imagesTr, labelsTr, dataset.json and synthesis.json; cases that are there already are left alone.

    Images and labels are on the grid of the plans' preprocessing (resampled, cropped to the nonzero region); all
    styles of a case are computed from one encoding of its content.

    Args:
        what: the translations.
        generator: its file.
        output: nnUNet_raw/DatasetXXX_Name of the new dataset.
        device: where to translate.
        part: of several processes that share the work; the last one to end completes the dataset.

    Returns:
        The number of images; None while other parts are not done.

    Raises:
        InputError: no generator or one that does not fit; the folder holds another synthesis or something else.
    """
    plans = folders.read_plans(what.dataset, what.plans)
    _check_output(what, output)
    translation, _ = load_exemplar_translation([generator], plans, what.configuration, device, regions=False)
    probabilities = exemplar_probabilities(translation.banks, what.policy)
    source = PreprocessedCases(folders.configuration_folder(what.dataset, plans, what.configuration), (0, 1, 2))
    with locked(part.lock(output)):
        _check_output(what, output, translation.banks[0])  # another process may have begun meanwhile
        remove_half_written(output)
        return _write_dataset(what, source, translation, probabilities, plans, output, part)


def _write_dataset(
    what: OfflineSynthesis, source: PreprocessedCases, translation: ExemplarTranslation, probabilities: np.ndarray,
    plans: PlansManager, output: Path, part: Part,
) -> int | None:  # fmt: skip
    bank = translation.banks[0]
    if not (output / RECORD).is_file():
        write_json(asdict(SynthesisRecord(what, bank.fingerprint, {})), output / RECORD)
    cases, mine = {}, set(part.of(source.names))
    for case in tqdm(source.names, "synthesize"):
        rng = np.random.default_rng([what.seed, zlib.crc32(case.encode())])
        draw = draw_styles(rng, what.styles_per_case, probabilities, 1.0, what.p_slerp)
        names = [f"{case}_style{number}" for number in range(what.styles_per_case)]
        cases |= {name: _provenance(case, draw, number, translation) for number, name in enumerate(names)}
        written = all((output / "imagesTr" / f"{name}_0000.nii.gz").is_file() for name in names)
        if not written and case in mine:
            _write_case(source, case, names, draw, translation, plans, what.configuration, output, what.seed)
    if not all((output / "imagesTr" / f"{name}_0000.nii.gz").is_file() for name in cases):
        return None
    for folder, ending in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
        for path in (output / folder).glob("*.nii.gz"):
            if path.name.removesuffix(ending) not in cases:
                path.unlink()  # its source has gone, and nnU-Net would go on training on it
                print(f"{path}: removed, for its source image is no longer preprocessed")
    write_json(asdict(SynthesisRecord(what, bank.fingerprint, cases)), output / RECORD)
    dataset_json = folders.read_dataset_json(what.dataset)
    description = {name: dataset_json[name] for name in DESCRIPTION if name in dataset_json}
    write_json(description | {"numTraining": len(cases), "file_ending": ".nii.gz"}, output / "dataset.json")
    return len(cases)


def splits(cases: dict[str, Provenance], folds: int = 5) -> list[dict[str, list[str]]]:
    """nnU-Net's splits_final.json with all styles of a source case on the same side."""
    sources = sorted({record.case for record in cases.values()})
    order = np.random.default_rng(12345).permutation(sources)
    result = []
    for held_out in np.array_split(order, min(folds, len(sources))):
        validation = [name for name, record in cases.items() if record.case in held_out]
        result.append({"train": [name for name in cases if name not in validation], "val": validation})
    return result


def _check_output(what: OfflineSynthesis, output: Path, bank: StyleBank | None = None) -> None:
    record = output / RECORD
    if record.is_file():
        found = read_synthesis(record)
        for name, value in vars(what).items():
            if (before := getattr(found.synthesis, name)) != value:
                raise InputError(f"{record}: synthesized with {name} {before}, expected {value}")
        if bank is not None and found.bank != bank.fingerprint:
            raise InputError(f"{record}: synthesized with other exemplars, expected the same or another -o")
    elif not is_unused(output):
        raise InputError(f"{output}: is not empty and has no {RECORD}, expected a new dataset")


def _provenance(case: str, draw: StyleDraw, number: int, translation: ExemplarTranslation) -> Provenance:
    names, t = translation.banks[0].names, float(draw.t[number])
    return Provenance(case, (names[draw.exemplars[number]], *([names[draw.partners[number]]] if t else [])), t)


def _write_case(
    source: PreprocessedCases, case: str, names: list[str], draw: StyleDraw, translation: ExemplarTranslation,
    plans: PlansManager, configuration_name: str, output: Path, seed: int,
) -> None:  # fmt: skip
    with named_case(source.folder / case):
        image, labels, _, properties = source.dataset.load_case(case)
        image, labels = image[:], labels[:]
    results = translation.translate_case(image, labels, case, draw, seed)
    spacing = plans.get_configuration(configuration_name).spacing
    whole = np.maximum(np.asarray(labels[0]), 0)
    whole = whole.astype(label_type(whole))
    for name, result in zip(names, results, strict=True):
        # Labels first: an image is what makes a case look complete.
        write_image(_as_image(whole, spacing, plans, properties), output / "labelsTr" / f"{name}.nii.gz")
        write_image(_as_image(result[0], spacing, plans, properties), output / "imagesTr" / f"{name}_0000.nii.gz")


def _as_image(array: np.ndarray, spacing: list[float], plans: PlansManager, properties: dict) -> SimpleITK.Image:
    """A preprocessed array with its spacing and the direction of the image it came from."""
    backward = plans.transpose_backward
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.transpose(backward)))
    image.SetSpacing([float(spacing[axis]) for axis in backward][::-1])
    if "sitk_stuff" in properties:
        image.SetDirection(properties["sitk_stuff"]["direction"])
    return image
