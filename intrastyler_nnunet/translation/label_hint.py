"""The label hint of the paper's released code: source labels pull structures towards their target appearance.

Cochleae are dark in ceT1 and bright in T2, an enhancing tumour is the reverse. Unpaired losses can live with either
mapping, so the released code changes the *generator's input* where the source label says what is there.
"""

import torch
import torch.nn.functional as F

from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.translation.windows import to_generator_space


def apply_label_hint(
    images: torch.Tensor, windows: torch.Tensor, labels: torch.Tensor | None, hint: LabelHint | None
) -> torch.Tensor:
    """Change the generator's input by its labels; without a hint it stays as it is.

    Args:
        images: (B, 1, *spatial) in [-1, 1].
        windows: (B, 2), each image's intensity window (lo, hi) in nnU-Net space.
        labels: (B, 1, *spatial), any dtype; needed with a hint.
        hint: which labels, and what is done to them.

    Returns:
        (B, 1 + channels, *spatial): the image in [-1, 1], and how much of each voxel is of each group of labels.
    """
    if hint is None:
        return images
    assert labels is not None, "a hint needs labels"
    labels = labels.to(images.device)
    shares = (_share(is_one_of(labels, values), hint) for values in (hint.inverted, hint.shifted))
    inverted, shifted = (share.to(images) for share in shares)
    shift = hint.shift if hint.mean is None else hint.mean - mean_inside(images, is_one_of(labels, hint.shifted))
    hinted = (images * (1 - 2 * inverted) + shift * shifted).clamp(-1, 1)
    for values, score in hint.levels:
        inside = is_one_of(labels, values)
        mean = mean_inside(hinted, inside)
        level = to_generator_space(torch.full_like(mean, score), windows)
        hinted = torch.where(inside, level, hinted + (level - mean) * _share(inside, hint).to(images)).clamp(-1, 1)
    return torch.cat([hinted, *(_share(is_one_of(labels, values), hint).to(images) for values in hint.channels)], dim=1)


def is_one_of(labels: torch.Tensor, values: tuple[int, ...]) -> torch.Tensor:
    """Where `labels` (any shape) are one of `values`: bool, on their device."""
    found = torch.zeros_like(labels, dtype=torch.bool)
    for value in values:
        found |= labels == value
    return found


def mean_inside(images: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Each image's mean where `inside`, bool of the same shape, is true: (B, 1, 1, 1, 1); 0 where it is nowhere."""
    axes = tuple(range(1, images.ndim))
    return (images * inside).sum(dim=axes, keepdim=True) / inside.sum(dim=axes, keepdim=True).clamp(min=1)


def _share(mask: torch.Tensor, hint: LabelHint) -> torch.Tensor:
    """How much of each voxel is inside; soft: two means of neighbours along each axis, the binomial (1, 2, 1) / 4."""
    share = mask.float()
    return F.avg_pool3d(F.avg_pool3d(F.pad(share, (1,) * 6, mode="replicate"), 2, 1), 2, 1) if hint.soft else share
