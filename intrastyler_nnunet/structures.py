"""Names and label values of structures: of the challenge's editions, and of any nnU-Net dataset.

`Labels` map the name of a structure to its value, or to several values for a structure made of several labels
(nnU-Net's regions). Background is not a structure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.typed_json import Check, Text, read_json

BACKGROUND, COCHLEA_NAME = "background", "cochlea"


@dataclass(frozen=True)
class Structures:
    """Label values of the structures that the steps treat differently."""

    tumour: dict[str, int]  # its parts, by name
    cochlea: int

    @classmethod
    def of(cls, labels: dict[str, int]) -> "Structures":
        """From nnU-Net's labels: all that is neither background nor cochlea is tumour.

        Raises InputError if a label has several values, or none is called cochlea.
        """
        if not all(isinstance(value, int) for value in labels.values()):
            raise InputError(f"found the labels {labels}, expected one value each")
        if COCHLEA_NAME not in labels:
            raise InputError(f"found the labels {', '.join(labels)}, expected one called {COCHLEA_NAME}")
        parts = {name: value for name, value in labels.items() if name not in (BACKGROUND, COCHLEA_NAME)}
        return cls(parts, labels[COCHLEA_NAME])

    @property
    def values(self) -> tuple[int, ...]:
        """All values of a label map, background included."""
        return (0, *self.tumour.values(), self.cochlea)


# 2023 from the organisers' submission container. Until 2022 the tumour was one structure.
EARLIER_LABELS = {"background": 0, "tumour": 1, "cochlea": 2}
LABELS = {
    2021: EARLIER_LABELS,
    2022: EARLIER_LABELS,
    2023: {"background": 0, "extra_meatal": 1, "intra_meatal": 2, "cochlea": 3},
}
LATEST = 2023

ARCHIVE_PATTERN = "{case}_Label.nii.gz"  # unconfirmed: no official description was found

Labels = Mapping[str, int | tuple[int, ...]]

# The 2023 edition, from the organisers' submission container.
CROSSMODA_LABELS: Labels = {"extra_meatal": 1, "intra_meatal": 2, "cochlea": 3}
BOUNDARY = ("extra_meatal", "intra_meatal")  # the two structures whose interface the boundary ASSD scores


def _whole_number(text: str) -> str:
    if not (text.isascii() and text.isdecimal()):
        raise InputError("expected a label value")
    return text


LabelValue = Annotated[int, Ge(0), Le(65535)] | Annotated[str, Check(_whole_number)]  # nnU-Net takes "1" for 1


def find_labels(references: Path | str, dataset_json: Path | str | None = None) -> Labels:
    """Labels of `dataset_json`; without it, of the dataset.json beside `references`; else CrossMoDA's.

    Raises InputError for a dataset.json that is not nnU-Net's.
    """
    if dataset_json is not None:
        return read_labels(dataset_json)
    beside = Path(references).resolve().parent / "dataset.json"
    return read_labels(beside) if beside.is_file() else CROSSMODA_LABELS


@dataclass(frozen=True)
class _LabelsOnly:
    """nnU-Net's dataset.json."""

    labels: dict[Text, LabelValue | tuple[LabelValue, ...]]


def read_labels(path: Path | str) -> Labels:
    """Labels of the nnU-Net dataset.json `path`. Raises InputError if it has no usable labels."""
    labels = read_json(path, _LabelsOnly, "nnU-Net's dataset.json", "ignore").labels
    values = {name: _values(value) for name, value in labels.items() if name != BACKGROUND}
    if "ignore" in values:
        raise InputError(f"{path}: found an ignore label, expected label maps annotated everywhere")
    if not values:
        raise InputError(f"{path}: found no label but background, expected at least one structure")
    return values


def label_values(labels: Labels) -> set[int]:
    """All values a label map may hold, background (0) included."""
    return {0}.union(*(_as_tuple(value) for value in labels.values()))


def _values(value: int | str | tuple[int | str, ...]) -> int | tuple[int, ...]:
    return tuple(int(part) for part in value) if isinstance(value, tuple) else int(value)


def _as_tuple(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
