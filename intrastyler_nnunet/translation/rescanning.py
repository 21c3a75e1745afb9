"""An image as if it had been acquired like an exemplar: with its sharpness, its intensities and its noise.

Noise cannot be foretold from a source, so no generator can learn it; but it can be drawn. A generator that is trained
with blur and noise behind it need not make either. Random numbers are drawn (`sample_noise`) apart from their use.
"""

import torch

from intrastyler_nnunet.model.smoothing import filtered, gaussian_kernels, gaussian_smooth
from intrastyler_nnunet.translation.acquisition import REACH, Acquisition, continued, noise_of_grain, quantiles
from intrastyler_nnunet.translation.curves import through_curves

SOFTNESS = 0.5  # of the way from an image's quantiles to its exemplar's, whose anatomy differs


def sample_noise(images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """White noise for `noisy`: both parts of complex numbers.

    Args:
        images: (B, 1, X, Y, Z), of which shape and device count.
        generator: on that device; None: PyTorch's own.

    Returns:
        (2, B, 1, X + 2 REACH, Y + 2 REACH, Z + 2 REACH), float32, of deviation 1.
    """
    shape = (2, len(images), 1, *(size + 2 * REACH for size in images.shape[2:]))
    return torch.randn(shape, generator=generator, device=images.device)


def blurred(images: torch.Tensor, rows: torch.Tensor, inside: torch.Tensor | None = None) -> torch.Tensor:
    """Images with the blur of their rows; gradients reach the images.

    Args:
        images: (B, 1, X, Y, Z) in [-1, 1].
        rows: (B, COLUMNS), of `acquisition.measured`.
        inside: (B, 1, X, Y, Z), bool, which voxels are image; None: all.
    """
    return gaussian_smooth(continued(images, inside), Acquisition.of(rows).blur, (REACH,) * 3)


def with_quantiles(images: torch.Tensor, rows: torch.Tensor, inside: torch.Tensor | None = None) -> torch.Tensor:
    """Images (as in `blurred`) whose quantiles are half-way to those of their rows; -1 and 1 stay where they are."""
    own, wanted = quantiles(images, inside), Acquisition.of(rows).quantiles
    knots = [
        torch.cat([torch.full_like(x[:, :1], -1), x, torch.ones_like(x[:, :1])], dim=1)
        for x in (own, torch.lerp(own, wanted, SOFTNESS))
    ]
    return through_curves(images, torch.stack(knots, dim=1))


def noisy(
    images: torch.Tensor, rows: torch.Tensor, white: torch.Tensor, inside: torch.Tensor | None = None
) -> torch.Tensor:
    """Images (as in `blurred`) with as much noise as they lack, and of the same grain.

    It is that of magnitude images (Rician; Gudbjartsson & Patz, Magn Reson Med 34(6), 1995) whose signal is 0 at -1.
    Their mean square stays the image's, wherever that is not less than of noise alone. Gradients pass as if noise were
    a constant.

    Args:
        images, rows, inside: as in `blurred`.
        white: of `sample_noise`.
    """
    wanted = Acquisition.of(rows)
    lacking = wanted.noise.square() - noise_of_grain(images.detach(), wanted.grain, inside).square()
    variance = lacking.clamp(min=0).reshape(-1, 1, 1, 1, 1)
    real, imaginary = (variance.sqrt() * coloured(part, wanted.grain) for part in white)
    signal = ((images.detach().float() + 1).square() - 2 * variance).clamp(min=0).sqrt()
    magnitude = ((signal + real).square() + imaginary.square()).sqrt()
    return images + ((magnitude - 1).clamp(-1, 1) - images.detach())


def coloured(white: torch.Tensor, grain: torch.Tensor) -> torch.Tensor:
    """White noise (B, 1, ...) with a grain (B, 3), still of deviation 1, and 2 REACH voxels smaller along each axis."""
    for axis in range(3):
        kernels = gaussian_kernels(grain[:, axis], REACH)
        white = filtered(white, kernels / kernels.norm(dim=1, keepdim=True), axis)
    return white


def rescanned(
    images: torch.Tensor, rows: torch.Tensor, white: torch.Tensor, inside: torch.Tensor | None, blurs: bool
) -> torch.Tensor:
    """Translations (as in `blurred`) as if so acquired; `blurs`: their generator was trained with blur behind it."""
    if blurs:
        images = blurred(images, rows, inside)
    return noisy(with_quantiles(images, rows, inside), rows, white, inside)
