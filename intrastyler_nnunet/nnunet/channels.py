"""Datasets of several image channels, one of which is translated."""

from copy import deepcopy

from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from intrastyler_nnunet.errors import InputError

PER_CHANNEL = ("normalization_schemes", "use_mask_for_norm")  # entries of a configuration


def translated_channel(dataset_json: dict, name: str | None) -> int:
    """Index of the channel that is translated.

    Args:
        dataset_json: nnU-Net's.
        name: of the channel, as in `channel_names`; None: the only one.

    Raises:
        InputError: no such channel; no name where there are several.
    """
    names = dataset_json.get("channel_names") or dataset_json["modality"]
    by_name = {channel: int(index) for index, channel in names.items()}
    if name is None and len(by_name) == 1:
        return 0
    if name not in by_name:
        found = "no channel is named" if name is None else f"there is no channel {name!r}"
        raise InputError(f"{found}, expected the one to translate: {', '.join(by_name)}")
    return by_name[name]


def one_channel_plans(plans: PlansManager, channel: int) -> PlansManager:
    """The plans as if `channel` were the only one: how images of that channel alone are preprocessed."""
    content = deepcopy(plans.plans)
    for configuration in content["configurations"].values():
        for entry in PER_CHANNEL:
            if entry in configuration:
                configuration[entry] = [configuration[entry][channel]]
    properties = content["foreground_intensity_properties_per_channel"]
    content["foreground_intensity_properties_per_channel"] = {"0": properties[str(channel)]}
    return PlansManager(content)
