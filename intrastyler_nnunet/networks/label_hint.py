"""The label hint of the paper's released code: source labels pull structures towards their target appearance.

Cochleae are dark in ceT1 and bright in T2, an enhancing tumour is the reverse. Unpaired losses can live with either
mapping, so the released code changes the *generator's input* where the source label says what is there.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class LabelHint:
    """Label values whose intensities are inverted, and those that are shifted by `shift` (generator space)."""

    inverted: tuple[int, ...] = (3,)
    shifted: tuple[int, ...] = (1, 2)
    shift: float = -1.0


def apply_label_hint(images: torch.Tensor, labels: torch.Tensor, hint: LabelHint) -> torch.Tensor:
    """Change the generator's input by its labels.

    Args:
        images: (B, 1, *spatial) in [-1, 1].
        labels: (B, 1, *spatial), any dtype, on the device of `images`.
        hint: which labels, and how far.

    Returns:
        (B, 1, *spatial) in [-1, 1].
    """
    labels = labels.to(images.device)
    hinted = torch.where(_any_of(labels, hint.inverted), -images, images)
    return torch.where(_any_of(labels, hint.shifted), hinted + hint.shift, hinted).clamp(-1, 1)


def _any_of(labels: torch.Tensor, values: tuple[int, ...]) -> torch.Tensor:
    found = torch.zeros_like(labels, dtype=torch.bool)
    for value in values:
        found |= labels == value
    return found
