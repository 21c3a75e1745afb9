"""Types of what this package uses of nnU-Net's own JSON files; entries that are not named here are kept as they are."""

from typing import Annotated

from annotated_types import Gt, MinLen
from typing_extensions import Required, TypedDict

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.structures import LabelValue
from intrastyler_nnunet.typed_json import Check, Count, FileName, Text


def _channel_number(text: str) -> str:
    if not (text.isascii() and text.isdecimal()):
        raise InputError("expected the number of a channel")
    return text


def _axis_order(axes: list[int]) -> list[int]:
    if sorted(axes) != [0, 1, 2]:
        raise InputError("expected the axes 0, 1 and 2 in any order")
    return axes


Channel = Annotated[str, Check(_channel_number)]
Channels = Annotated[dict[Channel, Text], MinLen(1)]
AxisOrder = Annotated[list[int], Check(_axis_order)]


class DatasetDescription(TypedDict, total=False):
    """`dataset.json`."""

    channel_names: Channels
    modality: Channels  # what `channel_names` were called
    labels: Required[dict[Text, LabelValue | list[LabelValue]]]
    file_ending: Required[FileName]


class PlannedConfiguration(TypedDict, total=False):
    """One configuration of the plans; what it lacks it inherits."""

    inherits_from: Text
    data_identifier: FileName
    preprocessor_name: Text
    batch_size: Count
    patch_size: Annotated[list[Count], MinLen(2)]
    spacing: Annotated[list[Annotated[float, Gt(0)]], MinLen(2)]
    normalization_schemes: Annotated[list[Text], MinLen(1)]
    use_mask_for_norm: Annotated[list[bool], MinLen(1)]


class PlansDescription(TypedDict, total=False):
    """A plans file such as `nnUNetPlans.json`."""

    dataset_name: Required[FileName]
    plans_name: Required[FileName]
    image_reader_writer: Required[Text]
    transpose_forward: Required[AxisOrder]
    transpose_backward: Required[AxisOrder]
    configurations: Required[dict[Text, PlannedConfiguration]]
    foreground_intensity_properties_per_channel: Required[dict[Channel, dict]]
