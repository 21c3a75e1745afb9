"""The label hint of the paper's released code: source labels pull structures towards their target appearance.

Cochleae are dark in ceT1 and bright in T2, an enhancing tumour is the reverse. Unpaired losses can live with either
mapping, so the released code changes the *generator's input* where the source label says what is there.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class LabelHint:
    """Label values whose intensities are inverted, and those that are shifted by `shift` (generator space)."""

    inverted: tuple[int, ...] = (3,)
    shifted: tuple[int, ...] = (1, 2)
    shift: float = -1.0
    soft: bool = False  # borders as of partial volume; the released code's are those of the voxels


def apply_label_hint(images: torch.Tensor, labels: torch.Tensor | None, hint: LabelHint | None) -> torch.Tensor:
    """Change the generator's input by its labels; without a hint it stays as it is.

    Args:
        images: (B, 1, *spatial) in [-1, 1].
        labels: (B, 1, *spatial), any dtype; needed with a hint.
        hint: which labels, and how far.

    Returns:
        (B, 1, *spatial) in [-1, 1].
    """
    if hint is None:
        return images
    labels = labels.to(images.device)
    inverted, shifted = (_share(labels, values, hint.soft).to(images) for values in (hint.inverted, hint.shifted))
    return (images * (1 - 2 * inverted) + hint.shift * shifted).clamp(-1, 1)


def _share(labels: torch.Tensor, values: tuple[int, ...], soft: bool) -> torch.Tensor:
    """How much of every voxel has one of the label `values`, float32; with `soft` the labels' borders are smooth."""
    found = torch.zeros_like(labels, dtype=torch.bool)
    for value in values:
        found |= labels == value
    share = found.float()
    if soft:  # two means of neighbours along each axis: the binomial kernel (1, 2, 1) / 4
        share = F.avg_pool3d(F.avg_pool3d(F.pad(share, (1,) * 6, mode="replicate"), 2, 1), 2, 1)
    return share
