"""Random contrasts of one anatomy: the exemplar's intensities through a curve, as if another sequence had been used.

Sampling is apart from application, as in `perturbations`.
"""

import numpy as np
import torch

KNOTS = 5  # at equal distances over [-1, 1]


def sample_curves(rng: np.random.Generator, count: int) -> np.ndarray:
    """Values in [-1, 1] of `count` curves at their knots, (N, KNOTS); what gives no signal (-1) never does."""
    curves = rng.uniform(-1, 1, (count, KNOTS))
    curves[:, 0] = -1
    return curves


def apply_curves(images: torch.Tensor, curves: np.ndarray) -> torch.Tensor:
    """Every image through its curve, linear between knots: (N, 1, X, Y, Z) in [-1, 1] -> the same."""
    values = torch.as_tensor(curves).to(images)
    place = (images.clamp(-1, 1) + 1) * ((KNOTS - 1) / 2)
    left = place.floor().clamp(max=KNOTS - 2)
    index = left.long().flatten(1)
    below, above = (values.gather(1, index + step).view_as(images) for step in (0, 1))
    return torch.lerp(below, above, place - left)
