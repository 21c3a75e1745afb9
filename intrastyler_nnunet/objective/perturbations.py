"""Intensity perturbations that make the negatives of the style contrast (paper sections 2.2 and 2.5.2).

Each iteration draws one kind; every negative gets its own parameters. Parameters are drawn (`sample`) apart from
their application (`perturb`), and every draw is far enough from the identity to change the style perceptibly.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

KINDS = ("contrast", "smoothing", "noise", "bias_field", "mixture")
BIAS_DEGREE = 3
LEAST_BIAS = 0.35  # standard deviation of a bias field's logarithm: terms that cancel would leave it nearly flat


@dataclass(frozen=True)
class Perturbation:
    """Parameters for N images; a zero turns an effect off.

    Attributes:
        log_gamma: (N,) the image in [0, 1] is raised to exp(log_gamma).
        sigma: (N, 3) standard deviation of the Gaussian smoothing, voxels per axis.
        noise: (N,) standard deviation of the added noise, in units of [0, 1].
        bias: (N, M) coefficients of the polynomials in (x, y, z) whose sum is the log of the bias field.
    """

    log_gamma: np.ndarray
    sigma: np.ndarray
    noise: np.ndarray
    bias: np.ndarray

    def every(self, step: int) -> "Perturbation":
        """Of the images 0, step, 2 step and so on."""
        return Perturbation(**{name: values[::step] for name, values in vars(self).items()})

    def only(self, *effects: str) -> "Perturbation":
        """Without the others, named as the attributes."""
        kept = {name: values if name in effects else np.zeros_like(values) for name, values in vars(self).items()}
        return Perturbation(**kept)


def sample_perturbation(
    rng: np.random.Generator, count: int, spacing: tuple[float, float, float], kind: str | None = None
) -> Perturbation:
    """Draw one kind, unless given, and `count` sets of parameters; `spacing`, in mm, turns mm into voxels."""
    kind = kind or KINDS[rng.integers(len(KINDS))]
    effects = set(KINDS[:-1]) if kind == "mixture" else {kind}
    # Within a mixture each effect is present by a coin toss, the first that `choice` names always.
    active = {effect: np.ones(count, bool) for effect in effects}
    if kind == "mixture":
        always = rng.integers(len(effects), size=count)
        active = {e: (rng.random(count) < 0.5) | (always == i) for i, e in enumerate(KINDS[:-1])}

    def draw(effect: str, values: np.ndarray) -> np.ndarray:
        mask = active.get(effect, np.zeros(count, bool))
        return np.where(mask.reshape(-1, *(1,) * (values.ndim - 1)), values, 0.0)

    terms = len(_exponents())
    bias = rng.uniform(0.2, 0.6, (count, terms)) * rng.choice((-1.0, 1.0), (count, terms))
    sign = rng.choice((-1.0, 1.0), size=count)
    return Perturbation(
        log_gamma=draw("contrast", sign * rng.uniform(0.25, 0.8, count)),
        sigma=draw("smoothing", rng.uniform(0.7, 1.6, (count, 1)) / np.asarray(spacing)),
        noise=draw("noise", rng.uniform(0.04, 0.15, count)),
        bias=draw("bias_field", bias * np.maximum(1, LEAST_BIAS / _bias_deviation(bias))),
    )


def perturb(images: torch.Tensor, perturbation: Perturbation) -> torch.Tensor:
    """Apply contrast, bias field, smoothing and noise, in this order (acquisition noise comes last).

    Args:
        images: (N, 1, X, Y, Z) in [-1, 1].
        perturbation: parameters for N images.

    Returns:
        (N, 1, X, Y, Z) in [-1, 1].
    """
    unit = (images + 1) / 2
    if perturbation.log_gamma.any():
        unit = unit.clamp(min=1e-6) ** torch.exp(_column(perturbation.log_gamma, unit))
    if perturbation.bias.any():
        unit = unit * bias_field(unit.shape[2:], torch.as_tensor(perturbation.bias).to(unit))
    if perturbation.sigma.any():
        unit = gaussian_smooth(unit, perturbation.sigma)
    if perturbation.noise.any():
        unit = unit + _column(perturbation.noise, unit) * torch.randn_like(unit)
    return unit.clamp(0, 1) * 2 - 1


def gaussian_smooth(images: torch.Tensor, sigma: np.ndarray) -> torch.Tensor:
    """Separable Gaussian smoothing, borders replicated, kernel cut at 4 sigma.

    Args:
        images: (N, 1, X, Y, Z).
        sigma: (N, 3) voxels; a zero leaves its axis as it is.
    """
    for axis in range(3):
        radius = int(np.ceil(4 * sigma[:, axis].max()))
        if radius == 0:
            continue
        offsets = np.arange(-radius, radius + 1)
        weights = np.exp(-0.5 * (offsets / np.maximum(sigma[:, axis : axis + 1], 1e-3)) ** 2)
        weights *= np.abs(offsets) <= np.maximum(np.ceil(4 * sigma[:, axis : axis + 1]), 0)
        kernel = torch.as_tensor(weights / weights.sum(axis=1, keepdims=True)).to(images)
        padding = [0] * 6
        padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = radius
        shape = [len(images), 1, 1, 1, 1]
        shape[2 + axis] = 2 * radius + 1
        padded = F.pad(images, padding, mode="replicate")
        # One group per image: each has its own kernel.
        with torch.autocast(images.device.type, enabled=False):  # E_S would know negatives by their rounding
            images = F.conv3d(padded.transpose(0, 1), kernel.reshape(shape), groups=len(images)).transpose(0, 1)
    return images


def bias_field(shape: tuple[int, int, int], coefficients: torch.Tensor) -> torch.Tensor:
    """exp of a random polynomial over [-1, 1]^3, (N, 1, X, Y, Z), normalised to a mean of one.

    Args:
        shape: spatial shape.
        coefficients: (N, M), one per monomial of total degree 1 to 3.
    """
    axes = [torch.linspace(-1, 1, size, device=coefficients.device, dtype=coefficients.dtype) for size in shape]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    monomials = torch.stack([x**i * y**j * z**k for i, j, k in _exponents()])
    with torch.autocast(coefficients.device.type, enabled=False):
        field = torch.exp(torch.einsum("nm,mxyz->nxyz", coefficients, monomials) / 2)
    return (field / field.mean(dim=(1, 2, 3), keepdim=True))[:, None]


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
