"""GIN: source images through random shallow convolutional networks, which needs no target image.

Global intensity non-linear augmentation (Ouyang et al., IEEE Transactions on Medical Imaging 42(4), 2023; first in
arXiv:2111.12525, section 3.2): every image gets a network of its own with weights drawn anew, so that a segmenter
sees shapes in any contrast and texture. Parameters are drawn apart from being applied.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch.nn.functional import conv3d, leaky_relu

from intrastyler_nnunet.devices import moved_together

LAYERS, WIDTH = 4, 2  # the paper's
KERNEL_SIZES = (1, 3)
SMALLEST_NORM = 1e-5


@dataclass(frozen=True, eq=False)
class RandomConvolutions:
    """A network for each of B images of C channels, and how much of its output an image gets."""

    kernels: tuple[torch.Tensor, ...]  # by layer: (B, outputs, inputs, 3, 3, 3), of size 1 with zeros around it
    shifts: tuple[torch.Tensor, ...]  # by layer: (B, outputs), added after the convolution
    shares: torch.Tensor  # (B,), 0 to 1, of the network's output in the mixture with the image


def sample_random_convolutions(rng: np.random.Generator, samples: int, channels: int = 1) -> RandomConvolutions:
    """Draw networks for a batch, on the CPU.

    Args:
        rng: the only source of randomness.
        samples: B.
        channels: C, also of the outputs.

    Weights and shifts are standard normal, kernel sizes 1 or 3 and shares uniform.
    """
    widths = (channels, *[WIDTH] * (LAYERS - 1), channels)
    kernels, shifts = [], []
    for inputs, outputs in pairwise(widths):
        kernel = rng.standard_normal((samples, outputs, inputs, 3, 3, 3), np.float32)
        centre = np.zeros((3, 3, 3), np.float32)
        centre[1, 1, 1] = 1
        single = rng.choice(KERNEL_SIZES, samples) == 1
        kernels.append(torch.from_numpy(np.where(single[:, None, None, None, None, None], kernel * centre, kernel)))
        shifts.append(torch.from_numpy(rng.standard_normal((samples, outputs), np.float32)))
    return RandomConvolutions(tuple(kernels), tuple(shifts), torch.from_numpy(rng.random(samples, np.float32)))


def apply_random_convolutions(images: torch.Tensor, networks: RandomConvolutions) -> torch.Tensor:
    """Images (B, C, I, J, K) of any device through their networks; each keeps the Frobenius norm that it had.

    Convolutions with leaky ReLUs (slope 0.01) between them, all of the batch at once; edges are padded with zeros. The
    output is share * network(image) + (1 - share) * image, scaled to the image's norm over channels and voxels.
    """
    drawn = moved_together([*networks.kernels, *networks.shifts, networks.shares], images.device)
    *weights, share = (part.to(images.dtype) for part in drawn)
    features = images.reshape(1, -1, *images.shape[2:])
    for number, (kernel, shift) in enumerate(zip(weights[:LAYERS], weights[LAYERS:], strict=True)):
        if number:
            features = leaky_relu(features)
        features = conv3d(features, kernel.flatten(0, 1), shift.flatten(), padding=1, groups=len(images))
    share = share[:, None, None, None, None]
    mixed = share * features.reshape(images.shape) + (1 - share) * images
    return mixed * (_norm(images) / (_norm(mixed) + SMALLEST_NORM))


def _norm(images: torch.Tensor) -> torch.Tensor:
    return images.flatten(1).norm(dim=1)[:, None, None, None, None]
