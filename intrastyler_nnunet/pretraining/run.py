"""From a dataset, plans and a configuration to everything a training run needs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK
from batchgenerators.utilities.file_and_folder_operations import load_pickle

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import require_inputs_kept
from intrastyler_nnunet.model.config import preset
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.cases import PreprocessedCases, one_channel_plans, translated_channel
from intrastyler_nnunet.nnunet.settings import GENERATOR_FILE
from intrastyler_nnunet.objective.config import METHODS, PretrainingConfig, Schedule
from intrastyler_nnunet.objective.terms import TERMS
from intrastyler_nnunet.pretraining.competitors import codes_of, read_subdomains
from intrastyler_nnunet.pretraining.recipes import DEFAULT, configured, read_recipe, resolved
from intrastyler_nnunet.pretraining.state import CHECKPOINT_FILE, CONFIG_FILE
from intrastyler_nnunet.structures import COCHLEA_NAME, Structures
from intrastyler_nnunet.translation.windows import named_case, read_windows
from intrastyler_nnunet.typed_json import read_json


@dataclass(frozen=True)
class Run:
    """A training run, ready to start; also some of its cases, such as those that are held out."""

    source: PreprocessedCases
    target: PreprocessedCases
    config: PretrainingConfig
    metadata: GeneratorMetadata
    folder: Path  # of what it writes
    truths: PreprocessedCases | None = None  # what source cases look like in styles of the target, if simulated


def prepare_run(
    dataset: str, configuration_name: str, plans_name: str, output: Path | None = None,
    patch_size: tuple[int, ...] | None = None, channel: str | None = None, recipe_name: str = DEFAULT,
    weights: dict[str, float | Schedule] | None = None, **settings,
) -> Run:  # fmt: skip
    """Resolve folders and sizes, and check them.

    Args:
        dataset, configuration_name, plans_name: what nnU-Net preprocessed.
        output: run folder; None: where the trainer looks for the generator.
        patch_size: None: the configuration's, at most the smallest case, and of as few slices as the recipe says.
        channel: name of the source's image channel to translate; None: the only one.
        recipe_name: of the package, or a file.
        weights: of terms, or their schedules, instead of the recipe's.
        settings: other entries of `PretrainingConfig` instead of the recipe's.

    Raises:
        InputError: unknown recipe, preset, dataset, configuration or channel; nothing preprocessed; a 2D configuration;
            a patch larger than the smallest case or too small for the preset; weights to begin with that the run would
            overwrite; a sub-domain without cases; a simulated truth of another shape than its source.
    """
    recipe = read_recipe(recipe_name)
    folder = output or folders.synthesizer_folder(dataset, plans_name, configuration_name)
    settings = resolved(recipe, weights or {}, _begun(folder) | settings)
    preset(settings["preset"])
    if settings["method"] not in METHODS:
        raise InputError(f"method {settings['method']!r}, expected one of {', '.join(METHODS)}")
    dataset_json = folders.read_dataset_json(dataset)
    channel_index = translated_channel(dataset_json, channel)
    plans = one_channel_plans(folders.read_plans(dataset, plans_name), channel_index)
    configuration = folders.read_configuration(plans, configuration_name)
    if len(configuration.patch_size) != 3:
        raise InputError(f"configuration {configuration_name} is 2D, expected a 3D configuration such as 3d_fullres")
    target_folder = folders.require_target(dataset, plans, configuration_name)
    structures = _structures(dataset_json)
    if recipe.label_hint and structures is None:
        print("no label is called cochlea: labels will not change the generator's input", flush=True)
    codes = _codes(dataset, target_folder, settings["method"], settings["subdomain"], settings["subdomain_pattern"])
    metadata = GeneratorMetadata(
        method=settings["method"],
        codes=codes,
        spacing=tuple(configuration.spacing),
        transpose_forward=tuple(plans.transpose_forward),
        normalization=tuple(configuration.normalization_schemes),
        use_mask_for_norm=tuple(configuration.use_mask_for_norm),
        intensity_properties=_finite(plans.foreground_intensity_properties_per_channel["0"]),
        label_hint=recipe.label_hint.of(structures) if recipe.label_hint and structures else None,
        acquisition=settings["acquisition"],
    )
    source_folder = folders.configuration_folder(dataset, plans, configuration_name)
    orientation, target_orientation = map(_orientation, (source_folder, target_folder))
    sides, target_sides = (left_right_axis(x, metadata) for x in (orientation, target_orientation))
    metadata = replace(metadata, orientation=orientation)
    source = PreprocessedCases(source_folder, metadata.axes, channel=channel_index, left_right=sides)
    target = PreprocessedCases(target_folder, metadata.axes, codes, left_right=target_sides)
    smallest = tuple(min(pair) for pair in zip(source.smallest(), target.smallest(), strict=True))
    if patch_size is None:
        patch_size = [min(pair) for pair in zip(configuration.patch_size, smallest, strict=True)]
        slices = metadata.axes[2]  # the axis through the plane
        patch_size[slices] = min(patch_size[slices], recipe.patch_slices or patch_size[slices])
    if any(size > extent for size, extent in zip(patch_size, smallest, strict=True)):
        raise InputError(
            f"patch size {tuple(patch_size)} is larger than the smallest case {smallest}, expected at most that"
        )
    _require_large_enough(patch_size, settings["preset"], metadata)
    label_manager = plans.get_label_manager(dataset_json)
    classes = 1 + int(max(label_manager.foreground_labels))
    settings |= {"patch_size": tuple(patch_size), "style_patch_size": recipe.style_patch(patch_size)}
    settings |= {"label_hint": metadata.label_hint, "recipe": Path(recipe_name).stem, "classes": classes}
    settings |= {"fluid_labels": (structures.cochlea,) if structures else ()}
    config = configured(settings, recipe_name)
    for name, term in TERMS.items():
        if term.whole_labels and config.uses(name) and label_manager.has_ignore_label:
            raise InputError(f"dataset {dataset} has an ignore label, expected --weight {name}=0")
    metadata = replace(metadata, patch_size=config.patch_size, style_patch_size=config.style_patch_size)
    if config.pretrained_weights is not None:
        require_inputs_kept([folder / GENERATOR_FILE], [Path(config.pretrained_weights)])
    truths = _truths(folders.truth_folder(dataset, plans, configuration_name), source)
    return Run(source, target, config, metadata, folder, truths)


def _begun(folder: Path) -> dict[str, int]:
    """The style warm-up of a run that is to go on, which keeps it although a longer run would begin with more."""
    if not (folder / CHECKPOINT_FILE).is_file() or not (folder / CONFIG_FILE).is_file():
        return {}
    before = read_json(folder / CONFIG_FILE, dict, "the configuration of a run")
    return {"style_warmup": before["style_warmup"]} if isinstance(before.get("style_warmup"), int) else {}


def _structures(dataset_json: dict) -> Structures | None:
    """The label values of tumour and cochlea; None where the labels name no cochlea, or are regions."""
    labels = {name: value for name, value in dataset_json["labels"].items() if name != "ignore"}
    if COCHLEA_NAME not in labels or not all(isinstance(value, int) for value in labels.values()):
        return None
    return Structures.of(labels)


def _require_large_enough(patch_size: Sequence[int], name: str, metadata: GeneratorMetadata) -> None:
    """Raise InputError if the layers of a preset need larger patches (in nnU-Net's axis order)."""
    smallest = preset(name)[0].smallest_image
    if any(patch_size[axis] < least for axis, least in zip(metadata.axes, smallest, strict=True)):
        needed = tuple(smallest[metadata.axes.index(axis)] for axis in range(3))
        raise InputError(f"patch size is {tuple(patch_size)}, expected at least {needed} for preset {name}")


def _finite(properties: dict[str, float]) -> dict[str, float]:
    """What nnU-Net knows of a channel's intensities; it writes NaN where a dataset has no foreground."""
    return {name: float(value) for name, value in properties.items() if np.isfinite(value)}


def _truths(folder: Path, source: PreprocessedCases) -> PreprocessedCases | None:
    """The cases of `folder`, if there are any; InputError if one has not the shape of its source case."""
    if not folders.case_names(folder):
        return None
    truths = PreprocessedCases(folder, source.space.axes)
    for case in source.names:
        for name in truths.of(case):
            if truths.shapes[name] != source.shapes[case]:
                raise InputError(
                    f"{folder / name}: shape {truths.shapes[name]}, expected that of {case}, {source.shapes[case]}"
                )
    return truths


def left_right_axis(orientation: str | None, metadata: GeneratorMetadata) -> int:
    """The generator axis (0, 1, 2 for X, Y, Z) from one ear to the other.

    Args:
        orientation: of the images' stored axes (x, y, z), such as "LPS"; None: as if it were this.
        metadata: whose `transpose_forward` and `axes` count.
    """
    stored = next(axis for axis, letter in enumerate(orientation or "LPS") if letter in "LR")
    array_axis = 2 - stored  # SimpleITK's arrays are (z, y, x)
    return metadata.axes.index(metadata.transpose_forward.index(array_axis))


def _orientation(folder: Path) -> str | None:
    """The orientation of the first preprocessed case as SimpleITK read it; None if another library did."""
    path = folder / f"{folders.case_names(folder)[0]}.pkl"
    with named_case(path):
        properties = load_pickle(str(path))
    if "sitk_stuff" not in properties:
        return None
    direction = properties["sitk_stuff"]["direction"]
    return SimpleITK.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(direction)


def _codes(
    dataset: str, target_folder: Path, method: str, subdomain: str | None, subdomain_pattern: str | None
) -> dict[str, tuple[float, ...]]:
    """Style codes of the target cases; empty for IntraStyler, whose styles are learnt."""
    if method == "intrastyler":
        if subdomain or subdomain_pattern:
            raise InputError("method intrastyler has no sub-domains, expected --method unified or nodiverse with them")
        return {}
    cases = sorted(read_windows(target_folder))
    if method == "nodiverse" and subdomain is None:
        if subdomain_pattern:
            raise InputError("method nodiverse has one style for all sub-domains, expected a pattern with --subdomain")
        return dict.fromkeys(cases, (1.0,))
    return codes_of(read_subdomains(dataset, cases, subdomain_pattern), method, subdomain)
