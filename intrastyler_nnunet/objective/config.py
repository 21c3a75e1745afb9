"""Everything that decides how a generator is trained."""

import itertools
import math
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

import numpy as np

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.objective.options import (
    AT_LEAST_ONE,
    NOT_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    SEED,
    check_options,
    option,
)
from intrastyler_nnunet.objective.terms import TERMS, WEIGHT, Objective

Schedule = tuple[tuple[float, float], ...]  # (progress in [0, 1], weight), ascending; two at one place make a step


def weight_at(schedule: Schedule, progress: float) -> float:
    """The weight at `progress`: linear between two points, constant before the first and after the last.

    Where two points have the same progress, the later one's weight counts from there on.
    """
    places, weights = zip(*schedule, strict=True)
    return float(np.interp(progress, places, weights))


def check_schedules(schedules: dict[str, Schedule], terms: tuple[str, ...]) -> None:
    """Raise InputError for an unknown term, or points that do not ascend from 0 to 1 or have a negative weight."""
    for term, schedule in schedules.items():
        if term not in terms:
            raise InputError(f"schedule of {term!r}, expected one of {', '.join(terms)}")
        if not all(math.isfinite(number) for point in schedule for number in point):
            raise InputError(f"schedule of {term}: {schedule}, expected finite numbers")
        places = [progress for progress, _ in schedule]
        ascending = all(a <= b for a, b in itertools.pairwise(places))
        if not schedule or not ascending or min(places) < 0 or max(places) > 1:
            raise InputError(f"schedule of {term}: progress {places}, expected ascending values from 0 to 1")
        if min(weight for _, weight in schedule) < 0:
            raise InputError(f"schedule of {term}: a weight is negative, expected 0 or more")


def parse_weight(text: str) -> tuple[str, float | Schedule]:
    """'nce=2' -> ('nce', 2.0), 'consistency=0:0,0.3:5' -> ('consistency', ((0, 0), (0.3, 5))); else InputError."""
    term, _, points = text.partition("=")
    try:
        if ":" not in points:
            return term, float(points)
        pairs = [point.split(":") for point in points.split(",")]
        return term, tuple((float(progress), float(weight)) for progress, weight in pairs)
    except ValueError:
        raise InputError(f"weight {text!r}, expected TERM=WEIGHT or TERM=PROGRESS:WEIGHT,...") from None


COMPETITORS = ("unified", "nodiverse")  # a one-hot code of the exemplar's sub-domain | one constant style
METHODS = ("intrastyler", *COMPETITORS)
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig(Objective):
    """Saved as `config.json` beside the generator. Sizes are voxels in nnU-Net's axis order."""

    patch_size: tuple[int, ...]  # of the generator and discriminator
    style_patch_size: tuple[int, ...]  # of the style encoder; smaller, so that two patches of one exemplar differ
    method: str = option(
        "intrastyler",
        "intrastyler: styles of exemplars | unified: one-hot code of the sub-domain | nodiverse: one style; the last "
        "two are the paper's competitors, for comparisons",
        group="method", choices=METHODS,
    )  # fmt: skip
    subdomain: str | None = option(
        None,
        "train on the target cases of one sub-domain only; with nodiverse, one network of MultiNets",
        group="method",
    )
    subdomain_pattern: str | None = option(  # see `read_subdomains`
        None,
        "regular expression whose group is the sub-domain in a case's name; give it when the raw dataset has no "
        "sites.json",
        group="method",
    )
    preset: str = option(
        "reference", "architecture: reference | released | compact | light | mini; smaller is faster", group="method"
    )
    label_hint: LabelHint | None = None
    pretrained_weights: str | None = option(  # of the same preset
        None,
        "begin with this generator, trained on similar images, instead of random weights",
        group="training", short_flag="-pretrained_weights", metavar="GENERATOR",
    )  # fmt: skip
    iterations: int = option(
        100_000,
        "training steps; more for more varied data. A larger number than before lengthens a run, finished or not: "
        "weights and learning rate then change by what is done of the longer one",
        group="training", range=AT_LEAST_ONE,
    )  # fmt: skip
    style_warmup: int = option(
        1000,
        "first of the steps, which train the style encoder alone, if there is one, because a generator needs styles "
        "that differ; more when all translations look alike; 0 with pretrained weights whose styles differ",
        group="training", range=NOT_NEGATIVE,
    )  # fmt: skip
    learning_rate: float = option(
        2e-4,
        "of generator and discriminator; small presets on few steps learn faster with twice as much",
        range=POSITIVE,
    )  # fmt: skip
    constant_until: float = option(0.5, "progress from which the learning rates fall to 0", range=PROBABILITY)
    betas: tuple[float, float] = (0.5, 0.999)
    style_learning_rate: float = 5e-5  # of the style encoder, whose contrast has one query per step: slow and steady
    style_betas: tuple[float, float] = (0.9, 0.999)
    segmenter_learning_rate: float = 2e-3  # of the terms' own networks, which must keep up with the generator
    batch_size: int = option(1, "patches per step; raise it on a large GPU", group="training", range=AT_LEAST_ONE)
    accumulate: int = option(
        1, "batches per update; raise it when gradients are noisy", group="training", range=AT_LEAST_ONE
    )
    precision: str = option(  # of convolutions; norms and losses stay in float32
        "float32",
        "bfloat16 needs less memory and time on recent GPUs, float16 on older ones",
        group="training", choices=PRECISIONS,
    )  # fmt: skip
    checkpointing: bool = option(
        False,
        "compute activations anew for the gradient instead of keeping them: about half the memory for a fifth more "
        "arithmetic; nothing else changes",
    )
    ema_decay: float = 0.995  # the saved generator is this moving average of the trained one; 0: the trained one
    initial_weights: str = option(
        "spread", "spread: styles that differ from the first step on | xavier: with gain 0.02, as the released code",
        choices=("spread", "xavier"),
    )  # fmt: skip
    gamma_share: float = option(
        0.0, "share of source and target patches whose contrast is changed by a gamma of 0.8 to 1.2", range=PROBABILITY
    )
    recipe: str = "paper"  # the name of the file that the settings came from, for people
    held_out: int = option(
        8,
        "cases of each domain to validate on instead of training, at most a tenth; 0 when every case counts",
        group="training", range=NOT_NEGATIVE,
    )  # fmt: skip
    seed: int = option(0, "change it to repeat a run with other random numbers", group="training", range=SEED)
    schedules: dict[str, Schedule] = field(default_factory=dict)  # weights of terms over the progress, if not constant
    checkpoint_every: int = 250
    panel_every: int = 250  # also of the validation

    def __post_init__(self):
        """Raises InputError if the values contradict each other."""
        check_options(self)
        if self.iterations <= self.style_warmup:
            raise InputError(
                f"{self.iterations} iterations, expected more than the {self.style_warmup} of the style warm-up"
            )
        if any(style > whole for style, whole in zip(self.style_patch_size, self.patch_size, strict=True)):
            raise InputError(f"style patch {self.style_patch_size} is larger than the patch {self.patch_size}")
        if self.method in COMPETITORS and self.style_warmup:
            raise InputError(f"method {self.method} has no style encoder to warm up, expected --style-warmup 0")
        if not set(self.attention_layers) <= set(self.nce_layers):
            raise InputError(f"attention in layers {self.attention_layers}, expected some of {self.nce_layers}")
        check_schedules(self.schedules, tuple(TERMS))
        defaults = default_settings()
        for weight in (WEIGHT + term for term in self.schedules):
            if getattr(self, weight) != defaults[weight]:
                raise InputError(f"{weight.replace('_', ' ')} {getattr(self, weight)} and a schedule, expected one")
        for name, term in TERMS.items():
            for needed, content in term.filled.items():
                if self.uses(name) and not getattr(self, needed):
                    raise InputError(f"a {name} term without {content}, expected at least one")
            if term.style_encoder and self.method in COMPETITORS and name in self.schedules:
                raise InputError(f"method {self.method} has no style encoder, expected no schedule of {name}")
        if self.conditional_discriminator and not self.uses("style"):
            raise InputError("a conditional discriminator without style contrast, expected both or neither")
        if self.style_warmup and not self.weights(0)["style"]:
            raise InputError(
                f"style warm-up of {self.style_warmup} steps without style contrast in the beginning, expected 0 steps"
            )

    def progress(self, iteration: int) -> float:
        """How far the training is: 0 until the end of the style warm-up, 1 at the end of the training."""
        return max(0.0, (iteration - self.style_warmup) / (self.iterations - self.style_warmup))

    def weights(self, iteration: int) -> dict[str, float]:
        """The factor of each of the generator's loss terms."""
        constant = {term: getattr(self, WEIGHT + term) for term in TERMS}
        scheduled = {term: weight_at(points, self.progress(iteration)) for term, points in self.schedules.items()}
        return constant | scheduled

    def uses(self, term: str) -> bool:
        """Whether a loss term has a weight other than 0 at any time."""
        if TERMS[term].style_encoder and self.method in COMPETITORS:
            return False
        if term in self.schedules:
            return any(weight for _, weight in self.schedules[term])
        return bool(getattr(self, WEIGHT + term))

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return asdict(self)


def default_settings() -> dict[str, Any]:
    """The values of all fields of `PretrainingConfig` that have a default, by name."""
    defaults = {f.name: f.default for f in fields(PretrainingConfig) if f.default is not MISSING}
    factories = {f.name: f.default_factory for f in fields(PretrainingConfig) if f.default_factory is not MISSING}
    return defaults | {name: factory() for name, factory in factories.items()}
