"""Self-training: target cases with pseudo-labels among the training cases, never translated."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from annotated_types import MinLen
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetBaseDataset
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.folders import case_names, configuration_folder, pseudo_label_folder
from intrastyler_nnunet.typed_json import Count, FileName, read_json


@dataclass(frozen=True)
class CaseList:
    """Content of the file that names the cases of self-training."""

    cases: Annotated[dict[FileName, Count], MinLen(1)]  # and how many times as often as a source case each is drawn
    dropped: dict[FileName, list[str]] = field(default_factory=dict)  # and why


@dataclass(frozen=True)
class PseudoLabelledCases:
    """Preprocessed target cases with pseudo-labels, and how often each is drawn."""

    folder: Path
    weights: dict[str, int]  # a case is drawn this many times as often as a source case


class MixedDataset:
    """Source and pseudo-labelled cases as one dataset for nnU-Net's data loader."""

    def __init__(self, source: nnUNetBaseDataset, pseudo: nnUNetBaseDataset, weights: dict[str, int]):
        self._of = dict.fromkeys(source.identifiers, source) | dict.fromkeys(weights, pseudo)
        # The loader draws identifiers uniformly.
        repeated = [name for name, weight in weights.items() for _ in range(weight)]
        self.identifiers = [*source.identifiers, *repeated]

    def __getitem__(self, identifier: str):
        return self.load_case(identifier)

    def load_case(self, identifier: str):
        """What nnU-Net's datasets return: image, labels, labels of the previous stage, properties."""
        return self._of[identifier].load_case(identifier)


def read_pseudo_labelled(
    case_list: str | None, plans: PlansManager, configuration: str, cascaded: bool
) -> PseudoLabelledCases | None:
    """The target cases that a training mixes in; None without a case list. Raises InputError as `read_case_list`."""
    if case_list is None:
        return None
    if cascaded:
        raise InputError("self_training has no segmentations of a previous stage, expected another configuration")
    folder = pseudo_label_folder(plans.dataset_name, plans, configuration)
    return read_case_list(Path(case_list), folder, configuration_folder(plans.dataset_name, plans, configuration))


def read_case_list(path: Path, folder: Path, source_folder: Path) -> PseudoLabelledCases:
    """The case list that `intrastyler crossmoda pseudo-label` wrote, or one made by hand: {"cases": {name: weight}}.

    Args:
        path: the JSON file.
        folder: of the preprocessed cases (`folders.pseudo_label_folder`).
        source_folder: of the source cases, among which they are mixed.

    Raises:
        InputError: no such file, not such a list, a case that is not preprocessed or is named as a source
            case; a weight below 1.
    """
    weights = read_json(path, CaseList, 'a case list {"cases": {"case name": 1}}').cases
    known, taken = set(case_names(folder)), set(case_names(source_folder))
    for name in weights:
        if name not in known:
            raise InputError(f"{path}: case {name} is not in {folder}, expected the cases of that folder")
        if name in taken:
            raise InputError(f"{path}: case {name} is also a source case, expected another name")
    return PseudoLabelledCases(folder, weights)
