"""A trained model made fit for a new scanner, from a handful of its unlabelled images."""

import hashlib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from intrastyler_nnunet.adaptation.further_pretraining import further_trained
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import is_unused, remove_half_written, write_json
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.fine_tuning import fine_tune
from intrastyler_nnunet.nnunet.settings import GENERATOR_FILE, TrainerSettings, checksum
from intrastyler_nnunet.nnunet.trained_model import TrainedModel
from intrastyler_nnunet.offline.style_space import StyleSpace
from intrastyler_nnunet.styles.bank import BANK_FILE, StyleBank
from intrastyler_nnunet.typed_json import Count, FileName, Probability, Text, read_json

RECORD = "adaptation.json"


@dataclass(frozen=True)
class Adaptation:
    """Content of adaptation.json: all that an adapted model depends on."""

    model: Text  # name of the folder that it began with
    weights_sha256: dict[Text, Text]  # of its checkpoints, by fold
    generator_sha256: Text
    exemplars_sha256: Text  # of the style bank
    images_sha256: dict[FileName, Text]  # of the new images
    epochs: Count
    old_share: Probability  # of translations to the exemplars that the model knew before
    style_encoder_steps: int


def beside(model: TrainedModel) -> Path:
    """Where an adapted model goes unless it is told: a name that nnUNetv2_predict finds with -tr."""
    folder = model.folder.resolve()
    trainer, separator, rest = folder.name.partition("__")
    return folder.with_name(f"{trainer}Adapted{separator}{rest}")


def generator_of(model: TrainedModel, given: Path | None) -> Path:
    """The file of the model's only generator: `given`, where its checkpoint says, or where pretraining puts it.

    Raises InputError if it is not there, is another one, or the model has none or several.
    """
    settings = _settings_of(model)
    found = settings.get("generator_sha256")
    if not isinstance(found, str):
        what = "without a generator" if found is None else f"with {len(found)} generators"
        raise InputError(f"{model.folder}: trained {what}, expected a model of one generator with a style encoder")
    named = Path(settings["generator"])
    own = folders.synthesizer_folder(model.plans.dataset_name, model.plans.plans_name, model.configuration_name)
    path = given or (named if named.is_file() else own / GENERATOR_FILE)
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected the generator of {model.folder}; name it with -g")
    if checksum(path) != found:
        raise InputError(f"{path}: is not the generator of {model.folder}, expected {named}; name it with -g")
    return path.absolute()


def own_bank(model: TrainedModel) -> Path | None:
    """The style bank that an adapted model was trained on; None: that of the data set."""
    return model.folder / BANK_FILE if _settings_of(model).get("style_bank") else None


def trained_settings(model: TrainedModel) -> TrainerSettings:
    """The settings that a model was trained with. Raises InputError if its checkpoint does not say them."""
    names = {field.name for field in fields(TrainerSettings)}
    return TrainerSettings(**{name: value for name, value in _settings_of(model).items() if name in names})


def require_same_plans(model: TrainedModel, space: StyleSpace) -> None:
    """Raise InputError if the model was planned in another way than the data set of the style space."""
    here, there = space.configuration, model.configuration
    pairs = {name: (there.configuration.get(name), here.configuration.get(name))
             for name in ("spacing", "normalization_schemes", "patch_size", "architecture")}  # fmt: skip
    pairs["transpose_forward"] = (list(model.plans.transpose_forward), list(space.plans.transpose_forward))
    for name, (found, expected) in pairs.items():
        if found != expected:
            shown = f" {found}, expected {expected} as" if name != "architecture" else " than the one"
            raise InputError(
                f"{model.folder}: has another {name.replace('_', ' ')}{shown} in the plans of the data set"
            )


def plan_adaptation(
    model: TrainedModel, space: StyleSpace, generator: Path, images: dict[str, Path], epochs: int, old_share: float,
    style_encoder_steps: int,
) -> Adaptation:  # fmt: skip
    """The record of an adaptation to `images` (files, by case)."""
    exemplars = hashlib.sha256(space.bank.fingerprint.encode()).hexdigest()
    images_sha256 = {name: checksum(path) for name, path in images.items()}
    return Adaptation(
        model.folder.resolve().name, model.sha256(), checksum(generator), exemplars, images_sha256, epochs, old_share,
        style_encoder_steps,
    )  # fmt: skip


def adapt(
    model: TrainedModel, space: StyleSpace, generator: Path, new: StyleBank, image_folder: Path, covered: list[dict],
    plan: Adaptation, output: Path,
) -> None:  # fmt: skip
    """Fine-tune every fold on translations to new and old exemplars; interrupted, the same call goes on.

    Beside nnU-Net's files the output folder gets `adaptation.json`, `style_bank.safetensors` with all exemplars, and
    with further steps of the style encoder the generator they led to, in `synthesizer`.

    Args:
        model: what to begin with; nothing of it is changed.
        space: of its generator and exemplars.
        generator: its file.
        new: styles of the new images.
        image_folder: of the new images.
        covered: what coverage says of them (`styles.coverage.coverage_rows`), for the record.
        plan: all that the result depends on.
        output: folder of the model to make.

    Raises:
        InputError: another adaptation is in the folder; an image has the name of an exemplar.
    """
    space.bank.joined(new)  # one name for two exemplars is told before anything is written
    with locked(output):
        _begin(plan, covered, output)
        if plan.style_encoder_steps:
            space, generator, new = further_trained(
                model, space, generator, image_folder, plan.style_encoder_steps, 1 - plan.old_share, output
            )
        content = hashlib.sha256(repr(sorted(plan.images_sha256.items())).encode()).hexdigest()
        bank = space.bank.joined(new, f"{checksum(generator)}-{plan.exemplars_sha256}-{content}")
        path = output / BANK_FILE
        if not path.is_file() or StyleBank.load(path).fingerprint != bank.fingerprint:
            bank.save(path)
        origin = asdict(plan) | {"coverage": covered, "provenance": model.provenance}
        settings = _settings(model, plan, generator, path)
        for fold in model.folds:
            fine_tune(model, fold, settings, output, space.plans.dataset_name, space.device, origin)


def _begin(plan: Adaptation, covered: list[dict], output: Path) -> None:
    path = output / RECORD
    if path.is_file():
        found = read_json(path, Adaptation, "the record of an adaptation", "ignore")
        for field in fields(Adaptation):
            before, now = getattr(found, field.name), getattr(plan, field.name)
            if before != now:
                what = field.name.replace("_", " ")
                raise InputError(f"{path}: begun with {what} {before}, now {now}, expected the same or another -o")
    elif not is_unused(output):
        raise InputError(f"{output}: is not empty and has no {RECORD}, expected a new folder")
    else:
        write_json(asdict(plan) | {"coverage": covered}, path)
    remove_half_written(output)


def _settings(model: TrainedModel, plan: Adaptation, generator: Path, bank: Path) -> TrainerSettings:
    return replace(
        trained_settings(model), num_epochs=plan.epochs, save_every=1, generator=str(generator), style_bank=str(bank),
        new_exemplars=sorted(plan.images_sha256), new_share=1 - plan.old_share,
    )  # fmt: skip


def _settings_of(model: TrainedModel) -> dict:
    """The resolved settings in a model's checkpoint. Raises InputError if it has none."""
    if model.provenance is None:
        raise InputError(
            f"{model.folder}: its checkpoint names no generator, expected a model of nnUNetTrainerIntraStyler"
        )
    return model.provenance["settings"]
