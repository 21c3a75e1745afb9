"""Self-training: target cases with pseudo-labels among the training cases, never translated."""

from dataclasses import dataclass
from pathlib import Path

from nnunetv2.training.dataloading.nnunet_dataset import nnUNetBaseDataset

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import read_json
from intrastyler_nnunet.nnunet.folders import case_names


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
        """As nnU-Net's datasets: image, labels, labels of the previous stage, properties."""
        return self._of[identifier].load_case(identifier)


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
    try:
        cases = read_json(path)["cases"]
        weights = dict(cases.items())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected a case list for self-training") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InputError(f'{path}: no case list, expected {{"cases": {{"case name": 1}}}}') from None
    known, taken = set(case_names(folder)), set(case_names(source_folder))
    for name, weight in weights.items():
        if name not in known:
            raise InputError(f"{path}: case {name} is not in {folder}, expected the cases of that folder")
        if name in taken:
            raise InputError(f"{path}: case {name} is also a source case, expected another name")
        if isinstance(weight, bool) or not isinstance(weight, int) or weight < 1:
            raise InputError(f"{path}: weight {weight!r} of {name}, expected a whole number of at least 1")
    if not weights:
        raise InputError(f"{path}: found no case, expected at least one")
    return PseudoLabelledCases(folder, weights)
