"""Intensity perturbations that make the negatives of the style contrast (paper sections 2.2 and 2.5.2).

Each iteration draws one kind; every negative gets its own parameters. Parameters are drawn (`sample_perturbation`)
apart from their application (`perturb`), and every draw is far enough from the identity to change the style
perceptibly. A field of `Perturbation` is all that there is to say about one effect.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch

from intrastyler_nnunet.model.smoothing import CUT, gaussian_smooth

BIAS_DEGREE = 3
LEAST_BIAS = 0.35  # standard deviation of a bias field's logarithm: terms that cancel would leave it nearly flat


def _sample_contrast(rng: np.random.Generator, count: int) -> np.ndarray:
    sign = rng.choice((-1.0, 1.0), size=count)
    return sign * rng.uniform(0.25, 0.8, count)


def _apply_contrast(unit: torch.Tensor, log_gamma: np.ndarray) -> torch.Tensor:
    return unit.clamp(min=1e-6) ** torch.exp(_column(log_gamma, unit))


def _sample_smoothing(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.uniform(0.6, 1.6, (count, 1)) * np.ones(3)


def _apply_smoothing(unit: torch.Tensor, sigma: np.ndarray) -> torch.Tensor:
    reach = np.ceil(CUT * sigma.max(axis=0)).astype(int)
    return gaussian_smooth(unit, torch.as_tensor(sigma).to(unit), reach.tolist())


def _sample_noise(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.uniform(0.04, 0.15, count)


def _apply_noise(unit: torch.Tensor, noise: np.ndarray) -> torch.Tensor:
    return unit + _column(noise, unit) * torch.randn_like(unit)


def _sample_bias_field(rng: np.random.Generator, count: int) -> np.ndarray:
    size = (count, len(_exponents()))
    bias = rng.uniform(0.2, 0.6, size) * rng.choice((-1.0, 1.0), size)
    return bias * np.maximum(1, LEAST_BIAS / _bias_deviation(bias))


def _apply_bias_field(unit: torch.Tensor, bias: np.ndarray) -> torch.Tensor:
    return unit * bias_field(unit.shape[2:], torch.as_tensor(bias).to(unit))


def bias_field(shape: tuple[int, ...], coefficients: torch.Tensor) -> torch.Tensor:
    """exp of a random polynomial over [-1, 1]^3, (N, 1, X, Y, Z), normalised to a mean of one.

    Args:
        shape: spatial shape.
        coefficients: (N, M), one per monomial of total degree 1 to 3.
    """
    axes = [torch.linspace(-1, 1, size, device=coefficients.device, dtype=coefficients.dtype) for size in shape]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    monomials = torch.stack([x**i * y**j * z**k for i, j, k in _exponents()])
    with torch.autocast(coefficients.device.type, enabled=False):
        gain = torch.exp(torch.einsum("nm,mxyz->nxyz", coefficients, monomials) / 2)
    return (gain / gain.mean(dim=(1, 2, 3), keepdim=True))[:, None]


def _bias_deviation(coefficients: np.ndarray) -> np.ndarray:
    """Standard deviation (N, 1) of the logarithm of the fields over [-1, 1]^3."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, 13)] * 3, indexing="ij")
    monomials = np.stack([(x**i * y**j * z**k).ravel() for i, j, k in _exponents()])
    return (coefficients @ monomials / 2).std(axis=1, keepdims=True)


def _exponents() -> list[tuple[int, int, int]]:
    powers = range(BIAS_DEGREE + 1)
    return [(i, j, k) for i in powers for j in powers for k in powers if 1 <= i + j + k <= BIAS_DEGREE]


def _column(values: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(values).to(like).reshape(-1, 1, 1, 1, 1)


@dataclass(frozen=True)
class Effect:
    """One way to change the style of an image.

    Attributes:
        kind: its name among the kinds of perturbation.
        sample: draws the parameters (N, ...) of N images, of which none is near the identity.
        apply: changes images (N, 1, X, Y, Z) in [0, 1] by parameters (N, ...), of which a zero changes nothing.
        place: effects are applied in the order of their places, from 0 (the tissue) to 1 (the acquisition).
        in_style: whether a style vector can hold it, so that restyling asks for it.
    """

    kind: str
    sample: Callable[[np.random.Generator, int], np.ndarray]
    apply: Callable[[torch.Tensor, np.ndarray], torch.Tensor]
    place: float
    in_style: bool


def _effect(kind: str, sample: Callable, apply: Callable, *, place: float, in_style: bool) -> Any:
    return field(metadata={"effect": Effect(kind, sample, apply, place, in_style)})


@dataclass(frozen=True)
class Perturbation:
    """Parameters for N images; a zero turns an effect off.

    Attributes:
        log_gamma: (N,) the image in [0, 1] is raised to exp(log_gamma).
        sigma: (N, 3) standard deviation of the Gaussian smoothing, voxels per axis.
        noise: (N,) standard deviation of the added noise, in units of [0, 1].
        bias: (N, M) coefficients of the polynomials in (x, y, z) whose sum is the log of the bias field.
    """

    log_gamma: np.ndarray = _effect("contrast", _sample_contrast, _apply_contrast, place=0, in_style=True)
    sigma: np.ndarray = _effect("smoothing", _sample_smoothing, _apply_smoothing, place=0.6, in_style=True)
    # Noise cannot be foretold, and a style vector has no places for a bias field.
    noise: np.ndarray = _effect("noise", _sample_noise, _apply_noise, place=1, in_style=False)
    bias: np.ndarray = _effect("bias_field", _sample_bias_field, _apply_bias_field, place=0.3, in_style=False)

    def every(self, step: int) -> "Perturbation":
        """The parameters of the images 0, step, 2 step and so on."""
        return Perturbation(**{name: values[::step] for name, values in vars(self).items()})

    def scaled(self, factors: np.ndarray) -> "Perturbation":
        """Each of the N images with K strengths, by factors (N, K) of its own: the parameters of N K images."""
        count = factors.shape[1]
        return Perturbation(**{
            name: np.repeat(values, count, axis=0) * factors.reshape(-1, *(1,) * (values.ndim - 1))
            for name, values in vars(self).items()
        })  # fmt: skip

    def only(self, *effects: str) -> "Perturbation":
        """Keep these effects, named as the attributes, and turn the others off."""
        kept = {name: values if name in effects else np.zeros_like(values) for name, values in vars(self).items()}
        return Perturbation(**kept)

    def only_in_style(self) -> tuple["Perturbation", np.ndarray]:
        """What a style vector can hold of it, and for which images (N,) that is all of it."""
        names = [name for name, effect in EFFECTS.items() if effect.in_style]
        others = [values for name, values in vars(self).items() if name not in names]
        return self.only(*names), np.all([(v == 0).reshape(len(v), -1).all(axis=1) for v in others], axis=0)


EFFECTS: dict[str, Effect] = {f.name: f.metadata["effect"] for f in fields(Perturbation)}
MIXTURE = "mixture"
KINDS = (*(effect.kind for effect in EFFECTS.values()), MIXTURE)


def sample_perturbation(rng: np.random.Generator, count: int, kind: str | None = None) -> Perturbation:
    """Draw one kind, unless given, and `count` sets of parameters."""
    kind = kind or KINDS[rng.integers(len(KINDS))]
    active = {effect.kind: np.full(count, effect.kind == kind) for effect in EFFECTS.values()}
    if kind == MIXTURE:
        # Each effect is present by a coin toss, the first that `always` names always.
        always = rng.integers(len(EFFECTS), size=count)
        active = {name: (rng.random(count) < 0.5) | (always == i) for i, name in enumerate(active)}
    drawn = {}
    # All are drawn, whatever the kind, and the last first: other random numbers would make other generators.
    for name, effect in (*list(EFFECTS.items())[-1:], *list(EFFECTS.items())[:-1]):
        values = effect.sample(rng, count)
        drawn[name] = np.where(active[effect.kind].reshape(-1, *(1,) * (values.ndim - 1)), values, 0.0)
    return Perturbation(**drawn)


WEAKER, STRONGER = (0.1, 0.5), (1.8, 2.5)  # times the strength of what two patches have in common


def sample_strengths(rng: np.random.Generator, count: int, negatives: int) -> np.ndarray:
    """Factors (count, negatives) of a shared perturbation's strength: none of it first, then less and more of it."""
    ranges = np.array([WEAKER, STRONGER])[rng.integers(2, size=(count, negatives))]
    factors = rng.uniform(ranges[..., 0], ranges[..., 1])
    factors[:, 0] = 0
    return factors


HARD_SIGMA, HARD_NOISE = (0.4, 1.0), (0.03, 0.1)  # of what query and positive have in common; voxels, of a range of 1
HARDER = (1.3, 2.0)  # times as much, or as little, has a negative


def sample_hard_negatives(rng: np.random.Generator, count: int, negatives: int) -> tuple[Perturbation, Perturbation]:
    """Blur and noise that query and positive share, and what their negatives have instead.

    A negative has more or less of one of the two: it may be noisier or cleaner, blurrier or sharper. The first one has
    neither.

    Returns:
        For `count` exemplars, and for their `negatives` negatives each.
    """
    none = sample_perturbation(rng, count).only()
    sigma, noise = rng.uniform(*HARD_SIGMA, (count, 1)) * np.ones(3), rng.uniform(*HARD_NOISE, count)
    factors = rng.uniform(*HARDER, (count, negatives)) ** rng.choice((-1, 1), (count, negatives))
    noisier = rng.random((count, negatives)) < 0.5
    of_noise, of_sigma = np.where(noisier, factors, 1), np.where(noisier, 1, factors)
    of_noise[:, 0] = of_sigma[:, 0] = 0
    shared = replace(none, sigma=sigma, noise=noise)
    return shared, replace(
        shared.scaled(np.zeros((count, negatives))),
        sigma=(sigma[:, None] * of_sigma[..., None]).reshape(-1, 3), noise=(noise[:, None] * of_noise).ravel(),
    )  # fmt: skip


RELEASED_SHARE = 0.25  # of images that each effect changes


def sample_released(rng: np.random.Generator, count: int) -> Perturbation:
    """The perturbations of the paper's released code: each effect by a coin of its own.

    So some images stay as they are. Gamma 0.5 to 1.5, a bias field whose logarithm has coefficients up to 0.1,
    smoothing by 0.5 to 1.5 voxels along each axis, noise of a fifth of the range.
    """
    drawn = {
        "log_gamma": np.log(rng.uniform(0.5, 1.5, count)),
        "sigma": rng.uniform(0.5, 1.5, (count, 3)),
        "noise": np.full(count, 0.2),
        "bias": rng.uniform(0.0, 0.2, (count, len(_exponents()))),  # halved where they are applied
    }
    for values in drawn.values():
        values[rng.random(count) >= RELEASED_SHARE] = 0
    return Perturbation(**drawn)


def perturb(images: torch.Tensor, perturbation: Perturbation) -> torch.Tensor:
    """Apply contrast, bias field, smoothing and noise, in this order (acquisition noise comes last).

    Args:
        images: (N, 1, X, Y, Z) in [-1, 1].
        perturbation: parameters for N images.

    Returns:
        (N, 1, X, Y, Z) in [-1, 1].
    """
    unit = (images + 1) / 2
    for name, effect in sorted(EFFECTS.items(), key=lambda entry: entry[1].place):
        parameters = getattr(perturbation, name)
        if parameters.any():
            unit = effect.apply(unit, parameters)
    return unit.clamp(0, 1) * 2 - 1
