"""Settings of the trainer. nnU-Net hands a trainer no arguments, so they come from a JSON file."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import get_type_hints

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import read_json, write_json
from intrastyler_nnunet.styles.sampling import check_policy

SETTINGS_VARIABLE = "INTRASTYLER_SETTINGS"
GENERATOR_VARIABLE = "INTRASTYLER_GENERATOR"
GENERATOR_FILE = "generator.safetensors"
RESOLVED_FILE = "intrastyler_settings.json"
# What a training keeps from beginning to end.
FIXED = (
    "seed", "p_translate", "policy", "p_slerp", "exemplars", "channel", "self_training_sha256", "generator_sha256",
)  # fmt: skip


@dataclass(frozen=True)
class TrainerSettings:
    """Content of the settings file; every entry is optional. None keeps nnU-Net's own value."""

    seed: int = 0  # of exemplars and intensity augmentation
    p_translate: float = 1.0  # probability that a training sample is translated; 0 is the NoAdapt baseline
    policy: str | dict = "uniform"  # "balanced": clusters of styles first, when some scanners are rare; or weights
    p_slerp: float = 0.0  # probability that a style lies between two exemplars; raise it when exemplars are few
    exemplars: list | None = None  # draw only these target cases, for example to leave out bad scans
    generator: str | list | None = None  # file, or files of several generators; None: where `pretrain` puts it
    channel: str | None = None  # name of the image channel that is translated; needed when there are several
    translation_batch_size: int | None = None  # samples translated at once; fewer than the batch when memory runs out
    compile_generator: bool = False  # torch.compile the generator; for long trainings on a GPU
    best_style: str = "mean"  # what checkpoint_best is best at: the mean over styles, or the "worst" style
    self_training: str | None = None  # case list of pseudo-labelled target cases to train on, untranslated
    num_epochs: int | None = None
    num_iterations_per_epoch: int | None = None
    num_val_iterations_per_epoch: int | None = None
    save_every: int | None = None  # epochs between checkpoints

    def __post_init__(self):
        for name in ("p_translate", "p_slerp"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected a probability between 0 and 1")
        check_policy(self.policy)
        if self.best_style not in ("mean", "worst"):
            raise InputError(f"best_style is {self.best_style!r}, expected mean or worst")
        for name, entries in (("exemplars", "target cases' names"), ("generator", "files")):
            value = getattr(self, name)
            if isinstance(value, list) and not (value and all(isinstance(entry, str) for entry in value)):
                raise InputError(f"{name} is {value}, expected a list of {entries}")
        if self.translation_batch_size is not None and self.translation_batch_size < 1:
            raise InputError(f"translation_batch_size is {self.translation_batch_size}, expected 1 or more")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, expected 0 or more")
        for name, value in self.overrides().items():
            if value < 1:
                raise InputError(f"{name} is {value}, expected 1 or more")

    def overrides(self) -> dict[str, int]:
        """Attributes of nnU-Net's trainer that the settings replace."""
        names = ("num_epochs", "num_iterations_per_epoch", "num_val_iterations_per_epoch", "save_every")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def read_settings() -> TrainerSettings:
    """Settings from the file named by INTRASTYLER_SETTINGS, defaults if it is unset.

    Raises:
        InputError: the file is missing or not JSON; an entry is unknown, of the wrong type or out of range.
    """
    path = os.environ.get(SETTINGS_VARIABLE)
    if not path:
        return TrainerSettings()
    try:
        content = read_json(path)
    except OSError as error:
        raise InputError(f"{SETTINGS_VARIABLE}={path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
    try:
        return _checked(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


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


def resolve(settings: TrainerSettings, generators: list[Path]) -> dict:
    """The settings with paths and checksums of the files in use; no generators without translation."""
    cases = settings.self_training and Path(settings.self_training)
    return asdict(settings) | {
        "generator": _one_or_all([str(path) for path in generators]),
        "generator_sha256": _one_or_all([_checksum(path) for path in generators]),
        "self_training": str(cases.absolute()) if cases else None,
        "self_training_sha256": _checksum(cases) if cases else None,
    }


def write_resolved(resolved: dict, folder: Path) -> None:
    """Copy the resolved settings into a training's output folder."""
    write_json(resolved, folder / RESOLVED_FILE)


def check_resumable(resolved: dict, folder: Path) -> None:
    """Raise InputError if the training in `folder` was begun with another seed, styles or generator."""
    path = folder / RESOLVED_FILE
    begun = read_json(path) if path.is_file() else resolved
    for name in FIXED:
        if begun.get(name) != resolved[name]:
            raise InputError(
                f"{path}: this training was begun with {name} {begun.get(name)}, now it is {resolved[name]}"
            )


def _checked(content: object) -> TrainerSettings:
    if not isinstance(content, dict):
        raise InputError(f"expected a JSON object, found {json.dumps(content)[:40]}")
    types = get_type_hints(TrainerSettings)
    unknown = sorted(set(content) - set(types))
    if unknown:
        known = ", ".join(field.name for field in fields(TrainerSettings))
        raise InputError(f"unknown setting {unknown[0]!r}; expected {known}")
    for name, value in content.items():
        accepted = int | float if types[name] is float else types[name]
        # To Python, true is an integer.
        if isinstance(value, bool) != (accepted is bool) or not isinstance(value, accepted):
            expected = getattr(types[name], "__name__", str(types[name]))
            raise InputError(f"{name} is {json.dumps(value)}, expected {expected}")
    return TrainerSettings(**content)


def _one_or_all(values: list):
    """None, the only value, or the list of all."""
    return values if len(values) > 1 else next(iter(values), None)


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
