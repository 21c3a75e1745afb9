"""Do the exemplars cover the scanner that new images come from?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge, Le

from intrastyler_nnunet.typed_json import FileName, read_json


@dataclass(frozen=True)
class Coverage:
    """How far M new images lie from N exemplars.

    Attributes:
        angles: (M,) degrees to the nearest exemplar.
        nearest: (M,) index of that exemplar.
        own_angles: (N,) degrees from each exemplar to its nearest other one.
    """

    angles: torch.Tensor
    nearest: torch.Tensor
    own_angles: torch.Tensor

    @property
    def limit(self) -> float:
        """Degrees; the exemplars' own largest gap."""
        return float(self.own_angles.max())

    @property
    def outside(self) -> torch.Tensor:
        """(M,) bool: farther from every exemplar than any exemplar is from its neighbour."""
        return self.angles > self.own_angles.max()

    @property
    def quantiles(self) -> torch.Tensor:
        """(M,) share of the exemplars that lie closer to their neighbour than the image to its nearest exemplar."""
        return (self.own_angles[None] < self.angles[:, None]).double().mean(dim=1)


def coverage(new: torch.Tensor, exemplars: torch.Tensor) -> Coverage:
    """Compare (M, K) style vectors of new images with (N, K) of at least two exemplars, all of unit length."""
    own = degrees_between(exemplars, exemplars).fill_diagonal_(torch.inf)
    angles, nearest = degrees_between(new, exemplars).min(dim=1)
    return Coverage(angles, nearest, own.min(dim=1).values)


def coverage_rows(result: Coverage, names: Sequence[str], exemplars: Sequence[str]) -> list[dict]:
    """What a file of `intrastyler coverage -o` says of each image, the farthest first.

    Args:
        result: of M images and N exemplars.
        names: of the images.
        exemplars: their names.
    """
    return [
        {
            "case": names[i], "degrees": round(float(result.angles[i]), 2),
            "nearest": exemplars[int(result.nearest[i])], "quantile": round(float(result.quantiles[i]), 3),
            "outside": bool(result.outside[i]),
        }
        for i in result.angles.argsort(descending=True).tolist()
    ]  # fmt: skip


def coverage_lines(rows: list[dict], limit: float) -> list[str]:
    """The rows of `coverage_rows` for people, and how many lie outside."""
    lines = [
        f"{row['case']:30} {row['degrees']:7.2f} degrees from {row['nearest']:30} {'OUTSIDE' if row['outside'] else ''}"
        for row in rows
    ]
    count = sum(row["outside"] for row in rows)
    end = f"{count} of {len(rows)} images outside: farther than {limit:.2f} degrees, the exemplars' own largest gap"
    return [*lines, end]


@dataclass(frozen=True)
class CoveredImage:
    """What decides whether a new image is used."""

    case: FileName
    degrees: Annotated[float, Ge(0), Le(180)]  # to the nearest exemplar
    outside: bool


@dataclass(frozen=True)
class CoverageResult:
    """The images of a file that `intrastyler coverage -o` wrote."""

    images: tuple[CoveredImage, ...]


def read_outside(path: Path) -> dict[str, float]:
    """Degrees to the nearest exemplar of the cases that a file of `intrastyler coverage -o` says are outside.

    Raises:
        InputError: no such file, or another one.
    """
    result = read_json(path, CoverageResult, "a file of intrastyler coverage -o", "ignore")
    return {row.case: row.degrees for row in result.images if row.outside}


def degrees_between(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Degrees (N, M) between unit vectors (N, K) and (M, K)."""
    # From the chord, because the arc cosine loses the small angles.
    chord = torch.cdist(first.double(), second.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return torch.rad2deg(2 * torch.asin((chord / 2).clamp(max=1)))
