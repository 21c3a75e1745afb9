"""Everything that decides how a generator is trained."""

from dataclasses import asdict, dataclass, field

import numpy as np

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.metadata import LabelHint

Schedule = tuple[tuple[float, float], ...]  # (progress in [0, 1], weight), ascending in progress


def weight_at(schedule: Schedule, progress: float) -> float:
    """The weight at `progress`: linear between two points, constant before the first and after the last."""
    return float(np.interp(progress, *zip(*schedule, strict=True)))


def check_schedules(schedules: dict[str, Schedule], terms: tuple[str, ...]) -> None:
    """Raise InputError for an unknown term, or points that do not ascend from 0 to 1 or have a negative weight."""
    for term, schedule in schedules.items():
        if term not in terms:
            raise InputError(f"schedule of {term!r}, expected one of {', '.join(terms)}")
        places = [progress for progress, _ in schedule]
        ascending = all(a < b for a, b in zip(places, places[1:], strict=False))
        if not schedule or not ascending or min(places) < 0 or max(places) > 1:
            raise InputError(f"schedule of {term}: progress {places}, expected ascending values from 0 to 1")
        if min(weight for _, weight in schedule) < 0:
            raise InputError(f"schedule of {term}: a weight is negative, expected 0 or more")


def parse_schedule(text: str) -> tuple[str, Schedule]:
    """'consistency=0:0,0.3:5' -> ('consistency', ((0, 0), (0.3, 5))). Raises InputError if it is not of this form."""
    term, _, points = text.partition("=")
    try:
        pairs = [point.split(":") for point in points.split(",")]
        return term, tuple((float(progress), float(weight)) for progress, weight in pairs)
    except ValueError:
        raise InputError(f"schedule {text!r}, expected TERM=PROGRESS:WEIGHT,... such as nce=0:1,0.5:1,1:2") from None


# The paper's and its competitors: an exemplar's vector | a one-hot code of its sub-domain | one constant style
METHODS = ("intrastyler", "unified", "nodiverse")
PRECISIONS = ("float32", "bfloat16", "float16")
NOT_NEGATIVE = (
    "seed", "style_warmup", "held_out", "instance_noise", "lambda_nce", "lambda_style", "lambda_consistency",
    "lambda_segmentation", "lambda_edge", "lambda_fluid", "lambda_restyling",
)  # fmt: skip


@dataclass(frozen=True)
class PretrainingConfig:
    """Saved as `config.json` beside the generator. Sizes are voxels in nnU-Net's axis order."""

    preset: str
    patch_size: tuple[int, ...]  # of the generator and discriminator
    style_patch_size: tuple[int, ...]  # of the style encoder; smaller, so that two patches of one exemplar differ
    iterations: int
    method: str = "intrastyler"
    subdomain: str | None = None  # train on this sub-domain's target cases alone (MultiNets: one network each)
    subdomain_pattern: str | None = None  # where sites.json does not name the sub-domains; see `read_subdomains`
    pretrained_weights: str | None = None  # file of a generator of the same preset to begin with
    seed: int = 0
    batch_size: int = 1
    accumulate: int = 1  # batches whose gradients are averaged before an update
    precision: str = "float32"  # or "bfloat16", "float16": of convolutions; norms and losses stay in float32
    learning_rate: float = 2e-4  # halves linearly to zero over the second half
    betas: tuple[float, float] = (0.5, 0.999)
    style_learning_rate: float = 5e-5  # of the style encoder, whose contrast has one query per step: slow and steady
    style_betas: tuple[float, float] = (0.9, 0.999)
    segmenter_learning_rate: float = 2e-3  # of the segmentation term's networks, which must keep up with the generator
    lambda_nce: float = 1.0
    lambda_style: float = 5.0  # paper section 2.5.2
    lambda_consistency: float = 5.0  # paper section 2.5.2
    nce_layers: tuple[int, ...] = (0, 4, 8, 12, 16)
    nce_places: int = 256
    nce_sampling: str = "random"  # or "qs_attn": deep layers are compared where attention is most focused
    nce_temperature: float = 0.07
    negatives: int = 8  # N of equation 1
    style_temperature: float = 0.01  # tau of equation 1
    style_warmup: int = 1000  # first steps, which train the style encoder alone: a generator needs styles that differ
    ema_decay: float = 0.995  # the saved generator is this moving average of the trained one
    label_hint: LabelHint | None = None
    lambda_segmentation: float = 0.0  # anatomy terms of the released code, which weights them 0.5 and 1
    lambda_edge: float = 0.0
    lambda_fluid: float = 0.0  # of keeping fluid, and bone beside it, at their shares of the exemplar's range
    fluid_labels: tuple[int, ...] = ()  # source labels
    lambda_restyling: float = 0.0  # of L1: an exemplar in a random contrast, restyled
    classes: int = 2  # of the source labels, background included; for the segmentation term
    instance_noise: float = 0.0  # on all that discriminator and light segmenter see; its deviation falls to 0
    schedules: dict[str, Schedule] = field(default_factory=dict)  # weights of terms over the progress, if not constant
    held_out: int = 8  # cases of each domain for validation, at most a tenth of them; never trained on
    checkpoint_every: int = 250
    panel_every: int = 250  # also of the validation

    def __post_init__(self):
        """Raises InputError if the values contradict each other."""
        if self.iterations <= self.style_warmup:
            raise InputError(
                f"{self.iterations} iterations, expected more than the {self.style_warmup} of the style warm-up"
            )
        if any(style > whole for style, whole in zip(self.style_patch_size, self.patch_size, strict=True)):
            raise InputError(f"style patch {self.style_patch_size} is larger than the patch {self.patch_size}")
        for name in NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise InputError(f"{name.replace('_', ' ')} is {getattr(self, name)}, expected 0 or more")
        if self.learning_rate <= 0:
            raise InputError(f"learning rate is {self.learning_rate}, expected more than 0")
        if self.batch_size < 1:
            raise InputError(f"batch size {self.batch_size}, expected at least 1")
        if self.accumulate < 1:
            raise InputError(f"{self.accumulate} accumulated batches, expected at least 1")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision {self.precision!r}, expected one of {', '.join(PRECISIONS)}")
        if self.method not in METHODS:
            raise InputError(f"method {self.method!r} is not known, expected one of {', '.join(METHODS)}")
        if self.method != "intrastyler" and self.style_warmup:
            raise InputError(f"method {self.method} has no style encoder to warm up, expected --style-warmup 0")
        check_schedules(self.schedules, tuple(self._constant_weights()))
        for weight in (f"lambda_{term}" for term in self.schedules if term != "adversarial"):
            if getattr(self, weight) != self.__dataclass_fields__[weight].default:
                raise InputError(f"{weight.replace('_', ' ')} {getattr(self, weight)} and a schedule, expected one")
        if self.uses("fluid") and not self.fluid_labels:
            raise InputError("a fluid term without labels of fluid, expected at least one")
        if self.style_warmup and not self.weights(0)["style"]:
            raise InputError(
                f"style warm-up of {self.style_warmup} steps without style contrast in the beginning, expected 0 steps"
            )
        if self.method != "intrastyler":
            given = [term for term in ("style", "consistency") if term in self.schedules]
            if given:
                raise InputError(f"method {self.method} has no style encoder, expected no schedule of {given[0]}")

    def progress(self, iteration: int) -> float:
        """From 0 at the end of the style warm-up to 1 at the end of the training."""
        return max(0.0, (iteration - self.style_warmup) / (self.iterations - self.style_warmup))

    def weights(self, iteration: int) -> dict[str, float]:
        """The factor of each of the generator's loss terms."""
        scheduled = {term: weight_at(points, self.progress(iteration)) for term, points in self.schedules.items()}
        return self._constant_weights() | scheduled

    def uses(self, term: str) -> bool:
        """Whether a loss term has a weight other than 0 at any time."""
        if term in ("style", "consistency") and self.method != "intrastyler":
            return False
        if term in self.schedules:
            return any(weight for _, weight in self.schedules[term])
        return bool(self._constant_weights()[term])

    def _constant_weights(self) -> dict[str, float]:
        return {
            "adversarial": 1.0, "nce": self.lambda_nce, "style": self.lambda_style,
            "consistency": self.lambda_consistency, "segmentation": self.lambda_segmentation, "edge": self.lambda_edge,
            "fluid": self.lambda_fluid, "restyling": self.lambda_restyling,
        }  # fmt: skip

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return asdict(self)
