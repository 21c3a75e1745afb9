"""Settings of the trainer. nnU-Net hands a trainer no arguments, so they come from a JSON file."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.sampling import Policy, PolicyWeights
from intrastyler_nnunet.typed_json import Count, FileNames, Probability, Text, read_json

SETTINGS_VARIABLE = "INTRASTYLER_SETTINGS"
GENERATOR_VARIABLE = "INTRASTYLER_GENERATOR"
GENERATOR_FILE = "generator.safetensors"
RESOLVED_FILE = "intrastyler_settings.json"
SHOWN = 5  # exemplars in a message
# What a training keeps from beginning to end.
FIXED = (
    "seed", "p_translate", "policy", "p_slerp", "exemplars", "new_exemplars", "new_share", "acquisition", "channel",
    "self_training_sha256", "generator_sha256",
)  # fmt: skip


@dataclass(frozen=True)
class TrainerSettings:
    """Content of the settings file; every entry is optional. None keeps nnU-Net's own value."""

    seed: Annotated[int, Ge(0)] = 0  # of exemplars and intensity augmentation
    p_translate: Probability = 1.0  # probability that a training sample is translated; 0 is the NoAdapt baseline
    policy: Policy | PolicyWeights = "uniform"  # "balanced": clusters of styles first, for rare scanners; or weights
    p_slerp: Probability = 0.0  # probability that a style lies between two exemplars; raise it when exemplars are few
    exemplars: FileNames | None = None  # draw only these target cases, for example to leave out bad scans
    # File of a style bank instead of that of the target cases, such as `intrastyler adapt` writes it with the exemplars
    # of a new scanner; those have `new_share` of all draws, however few they are.
    style_bank: Text | None = None
    new_exemplars: FileNames | None = None
    new_share: Probability = 0.5
    # File, or files of several generators; None: where `pretrain` puts it.
    generator: Text | Annotated[list[Text], MinLen(1)] | None = None
    # Whether translations get the exemplar's noise, sharpness and quantiles; None: if the generator was trained for it.
    acquisition: bool | None = None
    channel: Text | None = None  # name of the image channel that is translated; needed when there are several
    translation_batch_size: Count | None = None  # samples translated at once; fewer than the batch when memory runs out
    compile_generator: bool = False  # torch.compile the generator; for long trainings on a GPU
    # The final validation translates each case to its "own" style, drawn for it; and to so many styles (those with the
    # lowest Dice in training), or "all".
    validation_styles: Literal["own", "all"] | Count = "own"
    best_style: Literal["mean", "worst"] = "mean"  # what checkpoint_best is best at: all styles, or the worst one
    self_training: Text | None = None  # case list of pseudo-labelled target cases to train on, untranslated
    num_epochs: Count | None = None
    num_iterations_per_epoch: Count | None = None
    num_val_iterations_per_epoch: Count | None = None
    save_every: Count | None = None  # epochs between checkpoints

    def overrides(self) -> dict[str, int]:
        """Attributes of nnU-Net's trainer that the settings replace."""
        names = ("num_epochs", "num_iterations_per_epoch", "num_val_iterations_per_epoch", "save_every")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@dataclass(frozen=True)
class ResolvedSettings(TrainerSettings):
    """What a training was begun with, with the checksums of its files."""

    generator_sha256: Text | list[Text] | None = None
    self_training_sha256: Text | None = None
    # Of each generator's style bank, and the exemplars in it.
    bank_fingerprint: Text | list[Text] | None = None
    exemplar_names: FileNames | list[FileNames] | None = None


def read_settings() -> TrainerSettings:
    """Settings from the file named by INTRASTYLER_SETTINGS, defaults if it is unset.

    Raises:
        InputError: the file is missing or not JSON; an entry is unknown, of the wrong type or out of range.
    """
    path = os.environ.get(SETTINGS_VARIABLE)
    what = f"the trainer's settings, which {SETTINGS_VARIABLE} names"
    return read_json(path, TrainerSettings, what) if path else TrainerSettings()


def generator_paths(settings: TrainerSettings, synthesizer_folder: Path) -> list[Path]:
    """INTRASTYLER_GENERATOR, else the settings' generators, else the one in `synthesizer_folder`."""
    chosen = os.environ.get(GENERATOR_VARIABLE) or settings.generator or str(synthesizer_folder / GENERATOR_FILE)
    paths = [Path(path).absolute() for path in (chosen if isinstance(chosen, list) else [chosen])]
    for path in paths:
        if not path.is_file():
            raise InputError(
                f"{path}: no such generator; run intrastyler pretrain, or set {GENERATOR_VARIABLE} to its file"
            )
    if len(set(paths)) < len(paths):
        raise InputError(f"generator names a file twice, expected different ones: {', '.join(map(str, paths))}")
    return paths


def resolve(settings: TrainerSettings, generators: list[Path], banks: Sequence[StyleBank] = ()) -> ResolvedSettings:
    """The settings with paths and checksums of the files in use; no generators and banks without translation."""
    cases = settings.self_training and Path(settings.self_training)
    bank = settings.style_bank and Path(settings.style_bank)
    files = {
        "generator": _one_or_all([str(path) for path in generators]),
        "generator_sha256": _one_or_all([checksum(path) for path in generators]),
        "style_bank": str(bank.absolute()) if bank else None,
        "self_training": str(cases.absolute()) if cases else None,
        "self_training_sha256": checksum(cases) if cases else None,
        "bank_fingerprint": _one_or_all([bank.fingerprint for bank in banks]),
        "exemplar_names": _one_or_all([list(bank.names) for bank in banks]),
    }
    return ResolvedSettings(**asdict(settings) | files)


def write_resolved(resolved: ResolvedSettings, folder: Path) -> None:
    """Copy the resolved settings into a training's output folder."""
    write_json(asdict(resolved), folder / RESOLVED_FILE)


def check_resumable(resolved: ResolvedSettings, folder: Path) -> None:
    """Raise InputError if the training in `folder` was begun with another seed, styles or generator."""
    path = folder / RESOLVED_FILE
    what = "the settings that a training was begun with"
    begun = read_json(path, ResolvedSettings, what, "ignore") if path.is_file() else resolved
    for name in FIXED:
        then, now = getattr(begun, name), getattr(resolved, name)
        if then != now:
            raise InputError(f"{path}: this training was begun with {name} {then}, now it is {now}")
    # Trainings of former versions do not say which exemplars they were begun with.
    if begun.bank_fingerprint is not None and begun.bank_fingerprint != resolved.bank_fingerprint:
        then, now = _flat(begun.exemplar_names), _flat(resolved.exemplar_names)
        changed = [f"{name} is new" for name in now if name not in then]
        changed += [f"{name} is gone" for name in then if name not in now]
        what = ", ".join(changed[:SHOWN]) + (" and more" if len(changed) > SHOWN else "")
        raise InputError(f"{path}: this training was begun with other exemplars ({what or 'of the same names'})")


def _flat(names: list | None) -> list[str]:
    """Names of one bank or of several."""
    return [name for part in names or () for name in ([part] if isinstance(part, str) else part)]


def _one_or_all(values: list):
    """None, the only value, or the list of all."""
    return values if len(values) > 1 else next(iter(values), None)


def checksum(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
