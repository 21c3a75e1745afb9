"""Where nnU-Net keeps things, and where this package puts its own beside them.

Every function checks what it hands out and says in one line what is missing and which command makes it.
"""

import os
from pathlib import Path

from nnunetv2.utilities.dataset_name_id_conversion import maybe_convert_to_dataset_name
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.descriptions import DatasetDescription, PlannedConfiguration, PlansDescription
from intrastyler_nnunet.typed_json import read_json

DEFAULT_PLANS = "nnUNetPlans"
REQUIRED_OF_CONFIGURATIONS = sorted(PlannedConfiguration.__annotations__.keys() - {"inherits_from"})


def raw_folder(dataset: int | str) -> Path:
    """nnUNet_raw/DatasetXXX_Name of a dataset id or name. Raises InputError if it is not there."""
    return _existing(_nnunet_folder("nnUNet_raw") / dataset_name(dataset), "the raw dataset")


def new_raw_folder(number: int, name: str) -> Path:
    """nnUNet_raw/DatasetXXX_Name, which need not exist. Raises InputError if another dataset has the id."""
    base, folder = _nnunet_folder("nnUNet_raw"), f"Dataset{number:03d}_{name}"
    others = [path.name for path in base.glob(f"Dataset{number:03d}_*") if path.name != folder]
    if others:
        raise InputError(f"{base / others[0]}: has the id {number}, expected none or {folder}; choose another id")
    return base / folder


def preprocessed_folder(dataset: int | str) -> Path:
    """nnUNet_preprocessed/DatasetXXX_Name. Raises InputError if it is not there."""
    folder = _nnunet_folder("nnUNet_preprocessed") / dataset_name(dataset)
    return _existing(folder, "the output of nnUNetv2_plan_and_preprocess")


def results_folder(dataset: int | str) -> Path:
    """nnUNet_results/DatasetXXX_Name, which need not exist yet."""
    return _nnunet_folder("nnUNet_results") / dataset_name(dataset)


def synthesizer_folder(dataset: int | str, plans_name: str, configuration_name: str) -> Path:
    """Where the generator and the style bank of one configuration are kept; need not exist yet."""
    return results_folder(dataset) / f"IntraStyler__{plans_name}__{configuration_name}"


def dataset_name(dataset: int | str) -> str:
    """DatasetXXX_Name for an id (990 or "990") or a name.

    Raises InputError for an id that no dataset, or more than one, has.
    """
    _nnunet_folder("nnUNet_preprocessed")
    try:
        return str(maybe_convert_to_dataset_name(dataset))
    except ValueError:
        raise InputError(f"{dataset!r}, expected a dataset id or a name such as Dataset990_Name") from None
    except RuntimeError as error:
        found = "more than one dataset has" if "More than one" in str(error) else "no dataset has"
        places = "nnUNet_raw, nnUNet_preprocessed, nnUNet_results"
        raise InputError(f"{found} the id {dataset} in {places}, expected one") from None


def read_plans(dataset: int | str, plans_name: str = DEFAULT_PLANS) -> PlansManager:
    """The plans file of a dataset. Raises InputError if it is missing or not a plans file."""
    path = preprocessed_folder(dataset) / f"{plans_name}.json"
    if not path.is_file():
        raise InputError(f"{path}: no such plans file; run nnUNetv2_plan_and_preprocess -d {dataset} first")
    return PlansManager(dict(read_json(path, PlansDescription, "an nnU-Net plans file", "allow")))


def read_dataset_json(dataset: int | str) -> dict:
    """dataset.json beside the plans. Raises InputError if it is missing or not nnU-Net's."""
    path = preprocessed_folder(dataset) / "dataset.json"
    if not path.is_file():
        raise InputError(f"{path}: no such file; run nnUNetv2_plan_and_preprocess -d {dataset} first")
    return dict(read_json(path, DatasetDescription, "nnU-Net's dataset.json", "allow"))


def read_configuration(plans: PlansManager, name: str) -> ConfigurationManager:
    """One configuration of the plans.

    Raises:
        InputError: there is none of this name, which lists those that exist; or it is incomplete.
    """
    if name not in plans.available_configurations:
        existing = ", ".join(plans.available_configurations)
        raise InputError(
            f"{plans.plans_name}.json has no configuration {name!r}; it has {existing}, expected one of these"
        )
    try:
        configuration = plans.get_configuration(name)
    except (KeyError, ValueError, RuntimeError) as error:  # what it inherits from, or an entry of the architecture
        raise InputError(f"{plans.plans_name}.json: configuration {name}: {str(error).splitlines()[0]}") from None
    missing = [entry for entry in REQUIRED_OF_CONFIGURATIONS if entry not in configuration.configuration]
    if missing:
        raise InputError(f"{plans.plans_name}.json: configuration {name} has no entry {missing[0]}, expected one")
    return configuration


def configuration_folder(dataset: int | str, plans: PlansManager, configuration_name: str) -> Path:
    """Folder of the preprocessed source cases. Raises InputError if no case is there."""
    configuration = read_configuration(plans, configuration_name)
    folder = preprocessed_folder(dataset) / configuration.data_identifier
    if not case_names(folder):
        raise InputError(
            f"{folder}: no preprocessed cases; run nnUNetv2_preprocess -d {dataset} -c {configuration_name} first"
        )
    return folder


def target_folder(dataset: int | str, plans: PlansManager, configuration_name: str) -> Path:
    """Folder of the preprocessed target cases; need not exist yet (see `require_target`)."""
    configuration = read_configuration(plans, configuration_name)
    return preprocessed_folder(dataset) / f"{configuration.data_identifier}_target"


def truth_folder(dataset: int | str, plans: PlansManager, configuration_name: str) -> Path:
    """Folder of the preprocessed `imagesTrPaired`, which only simulations have; need not exist."""
    configuration = read_configuration(plans, configuration_name)
    return preprocessed_folder(dataset) / f"{configuration.data_identifier}_truth"


def pseudo_label_folder(dataset: int | str, plans: PlansManager, configuration_name: str) -> Path:
    """Folder of the preprocessed target cases that have pseudo-labels; need not exist."""
    configuration = read_configuration(plans, configuration_name)
    return preprocessed_folder(dataset) / f"{configuration.data_identifier}_pseudo"


def require_target(dataset: int | str, plans: PlansManager, configuration_name: str) -> Path:
    """`target_folder`, which must hold cases. Raises InputError naming the command that makes it."""
    folder = target_folder(dataset, plans, configuration_name)
    if not case_names(folder):
        raise InputError(
            f"{folder}: no preprocessed target cases; "
            f"run intrastyler add-target -d {dataset} -c {configuration_name} first"
        )
    return folder


def case_names(folder: Path) -> list[str]:
    """Sorted identifiers of the preprocessed cases in `folder`; none if it does not exist."""
    names = (path.name.removesuffix(".b2nd") for path in folder.glob("*.b2nd"))
    return sorted(name for name in names if not name.endswith("_seg"))


def _nnunet_folder(variable: str) -> Path:
    if not os.environ.get(variable):
        raise InputError(f"the environment variable {variable} is not set; it must name nnU-Net's folder")
    return Path(os.environ[variable])


def _existing(folder: Path, description: str) -> Path:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected {description}")
    return folder
