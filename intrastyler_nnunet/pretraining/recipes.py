"""Recipes: everything that decides how a generator is trained but the data and the machine, as JSON files."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt, Le

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.objective.config import COMPETITORS, PretrainingConfig, Schedule, default_settings
from intrastyler_nnunet.objective.terms import TERMS, WEIGHT
from intrastyler_nnunet.structures import Structures
from intrastyler_nnunet.typed_json import Count, Text, decode_json, read_json

FOLDER = Path(__file__).with_name("recipes")
DEFAULT = "default"
SMALLEST_STYLE_PATCH = 8
FROM_DATA = ("patch_size", "style_patch_size", "classes", "fluid_labels", "label_hint", "recipe")
WHAT = "a recipe"


@dataclass(frozen=True)
class StructureHint:
    """What is done to the generator's input where labels name structures; see `LabelHint`.

    Attributes:
        cochlea_inverted: its intensities change their sign.
        cochlea_level: its mean becomes this z-score.
        tumour_mean: the tumour's mean becomes this, of generator space.
        tumour_level: its mean becomes this z-score.
        soft: borders as of partial volume.
        channels: tumour and cochlea have a channel of the generator's input each.
    """

    cochlea_inverted: bool = False
    cochlea_level: float | None = None
    tumour_mean: float | None = None
    tumour_level: float | None = None
    soft: bool = True
    channels: bool = False

    def of(self, structures: Structures) -> LabelHint:
        """The hint for these label values."""
        tumour, cochlea = tuple(structures.tumour.values()), (structures.cochlea,)
        scores = ((tumour, self.tumour_level), (cochlea, self.cochlea_level))
        return LabelHint(
            inverted=cochlea if self.cochlea_inverted else (),
            shifted=() if self.tumour_mean is None else tumour,
            mean=self.tumour_mean,
            soft=self.soft,
            channels=(tumour, cochlea) if self.channels else (),
            levels=tuple((values, score) for values, score in scores if score is not None),
        )


@dataclass(frozen=True)
class Recipe:
    """What a recipe's file holds.

    Attributes:
        purpose: what it is for, in a line of `--help`.
        settings: of `PretrainingConfig`, without what depends on the data.
        patch_slices: the most slices that a patch has of the plans' patch; None: all.
        style_patch_share: extent of the style encoder's patches, of the patch's.
        label_hint: used where the source labels name a cochlea.
    """

    purpose: Text
    settings: dict[str, Any] = field(default_factory=dict)
    patch_slices: Count | None = None
    style_patch_share: Annotated[float, Gt(0), Le(1)] = 0.7
    label_hint: StructureHint | None = None

    def style_patch(self, patch_size: Sequence[int]) -> tuple[int, ...]:
        """The size of the style encoder's patches beside patches of this size."""
        shares = (max(SMALLEST_STYLE_PATCH, round(size * self.style_patch_share)) for size in patch_size)
        return tuple(min(pair) for pair in zip(patch_size, shares, strict=True))


SHORT_WARMUP = 0.2  # of the steps, where a recipe says nothing of this length


def resolved(recipe: Recipe, weights: dict[str, float | Schedule], given: dict[str, Any]) -> dict[str, Any]:
    """The settings of a recipe but for these weights and settings, with the defaults of all others."""
    settings = default_settings() | _with_weights(recipe.settings, weights)
    iterations, method = (given.get(name, settings[name]) for name in ("iterations", "method"))
    warmup, planned = settings["style_warmup"], settings["iterations"]
    short = min(warmup, int(SHORT_WARMUP * iterations))
    if "style_warmup" not in recipe.settings:
        settings["style_warmup"] = short
    elif iterations < planned:  # as long a part of the run, but not too short to tell styles apart
        settings["style_warmup"] = max(warmup * iterations // planned, short)
    if method in COMPETITORS:
        settings["style_warmup"] = 0
        settings["schedules"] = {x: y for x, y in settings["schedules"].items() if not TERMS[x].style_encoder}
    return settings | given


def _with_weights(settings: dict[str, Any], weights: dict[str, float | Schedule]) -> dict[str, Any]:
    """A recipe's settings with these weights or schedules of terms instead. Raises InputError for unknown terms."""
    for term, weight in weights.items():
        if term not in TERMS:
            raise InputError(f"weight of {term!r}, expected one of {', '.join(TERMS)}")
        settings = {name: value for name, value in settings.items() if name != WEIGHT + term}
        schedules = {name: value for name, value in settings.get("schedules", {}).items() if name != term}
        if isinstance(weight, tuple):
            schedules[term] = weight
        else:
            settings[WEIGHT + term] = weight
        settings["schedules"] = schedules
    return settings


def configured(settings: dict[str, Any], name: str) -> PretrainingConfig:
    """The configuration with these settings; InputError for what it does not know or allow, which names the recipe."""
    return decode_json(json.dumps(settings, default=asdict), PretrainingConfig, f"recipe {name}", WHAT)


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def read_recipe(name: str) -> Recipe:
    """A recipe of the package by its name, or one from a file.

    Raises:
        InputError: there is no such recipe; an entry is unknown, of another type or out of its range.
    """
    path = FOLDER / f"{name}.json" if name in recipe_names() else Path(name)
    if not path.is_file():
        raise InputError(f"recipe {name}: no such file, expected one, or a name: {', '.join(recipe_names())}")
    recipe = read_json(path, Recipe, WHAT)
    for entry in FROM_DATA:
        if entry in recipe.settings:
            raise InputError(f"{path}: {entry} depends on the data, expected a recipe without")
    configured(
        resolved(recipe, {}, {}) | {"patch_size": (8, 8, 8), "style_patch_size": (8, 8, 8), "fluid_labels": (1,)}, name
    )
    return recipe
