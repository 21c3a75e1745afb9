"""Pseudo-labels: predictions of the unlabelled target images that are good enough to train on."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from scipy.ndimage import label
from tqdm import tqdm

from intrastyler_nnunet.crossmoda.postprocess import TOUCHING
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import remove_half_written, write_json
from intrastyler_nnunet.grids import SamplingGrid, require_same_grid
from intrastyler_nnunet.images import image_files, read_volume
from intrastyler_nnunet.label_maps import read_label_map
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.nnunet.self_training import CaseList
from intrastyler_nnunet.nnunet.target.case import TargetCase, is_up_to_date, preprocess
from intrastyler_nnunet.structures import Structures


@dataclass(frozen=True)
class Destination:
    """Where accepted cases go: nnU-Net's preprocessing of one configuration."""

    folder: Path  # of preprocessed cases, `folders.pseudo_label_folder`
    plans: PlansManager
    configuration: ConfigurationManager
    dataset_json: dict


def reasons_to_drop(labels: np.ndarray, structures: Structures) -> list[str]:
    """The 2023 winner's rules for a label map (Z, Y, X); none of them means it can be trained on."""
    reasons = []
    for name, value in structures.tumour.items():
        components = label(labels == value, TOUCHING)[1]
        if components > 1:
            reasons.append(f"{components} components of {name}")
    cochleae = label(labels == structures.cochlea, TOUCHING)[1]
    if cochleae < 2:
        reasons.append(f"{cochleae} of 2 cochleae")
    if not np.isin(labels, tuple(structures.tumour.values())).any():
        reasons.append("no tumour")
    return reasons


def pseudo_label(
    predictions: Path, images: Path, outside: dict[str, float], destination: Destination, case_list: Path,
    structures: Structures,
) -> dict[str, list[str]]:  # fmt: skip
    """Filter predictions, preprocess the accepted ones with their images, and write the trainer's case list.

    Args:
        predictions: folder of `<case>` label maps.
        images: folder of `<case>_0000` images.
        outside: degrees from the nearest exemplar of the cases whose style no exemplar covers; they are dropped.
        destination: where accepted cases go.
        case_list: JSON to write: {"cases": {case: 1}, "dropped": {case: [reasons]}}.
        structures: of the edition.

    Returns:
        Why each dropped case was dropped.

    Raises:
        InputError: no prediction; one without its image, on another grid, unreadable or of other labels; no case is
            left.
    """
    files, pictures = image_files(predictions), image_files(images)
    if not files:
        raise InputError(f"{predictions}: found no label map, expected predictions")
    accepted, dropped = {}, {}
    for case, path in files.items():
        if f"{case}_0000" not in pictures:
            raise InputError(f"{path}: no image {case}_0000 in {images}, expected the image it was predicted on")
        label_map = read_label_map(path, structures.values)
        picture = pictures[f"{case}_0000"]
        require_same_grid(label_map.grid, SamplingGrid.of(read_volume(picture)), path, picture)
        reasons = reasons_to_drop(label_map.labels, structures)
        if case in outside:
            reasons.append(f"style {outside[case]:.1f} degrees from the nearest exemplar")
        if reasons:
            dropped[case] = reasons
        else:
            accepted[case] = path
    if not accepted:
        raise InputError(f"{predictions}: all {len(files)} predictions are dropped, expected at least one good one")
    with locked(destination.folder.parent):
        destination.folder.mkdir(parents=True, exist_ok=True)
        remove_half_written(destination.folder)
        for case, path in tqdm(accepted.items(), "pseudo-label"):
            target = TargetCase(
                case, pictures[f"{case}_0000"], destination.folder, destination.plans, destination.configuration,
                destination.dataset_json, labels=path,
            )  # fmt: skip
            if not is_up_to_date(target):
                preprocess(target)
    write_json(asdict(CaseList(dict.fromkeys(accepted, 1), dropped)), case_list)
    return dropped
