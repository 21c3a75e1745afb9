"""Style control that clusters cannot fool: does a translation follow its exemplar among exemplars of one scanner?

Over all images, a translator that knows the scanner, or only the sub-dataset, correlates well with its exemplars.
Here every measure is centred on its mean over the scanner before anything is computed.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.quality.contrast_measures import MEASURES, contrast_measures
from benchmarks.quality.simulated_pairs import Pair


@dataclass(frozen=True)
class MeasuredStyles:
    """The `MEASURES` of images and of their exemplars, each on its own anatomy; nan where there is no tumour."""

    made: np.ndarray  # (n, 6)
    wanted: np.ndarray  # (n, 6)
    scanners: np.ndarray  # (n,) names

    @classmethod
    def of(cls, images: list[np.ndarray], pairs: list[Pair]) -> "MeasuredStyles":
        """Measure images (x, y, z), in their exemplars' z-score units."""
        made = [contrast_measures(i, p.exemplar.window, p.source.anatomy) for i, p in zip(images, pairs, strict=True)]
        wanted = [contrast_measures(p.exemplar.volume, p.exemplar.window, p.exemplar.anatomy) for p in pairs]
        tables = [np.array([[row[name] for name in MEASURES] for row in rows]) for rows in (made, wanted)]
        return cls(*tables, np.array([pair.exemplar.scan.scanner for pair in pairs]))

    def __getitem__(self, rows: np.ndarray) -> "MeasuredStyles":
        """Those of some rows (mask)."""
        return MeasuredStyles(self.made[rows], self.wanted[rows], self.scanners[rows])

    def control(self) -> dict[str, dict[str, float]]:
        """Slope, offset and correlation, each by measure.

        slope: of the least-squares lines, parallel for all scanners, of made over wanted; 1 follows, 0 ignores.
        offset: mean of made - wanted over all images.
        within_r: Pearson's r of made and wanted about their scanner's means; 0 where nothing varies.
        """
        result: dict[str, dict[str, float]] = {"slope": {}, "offset": {}, "within_r": {}}
        for name, made, wanted in zip(MEASURES, self.made.T, self.wanted.T, strict=True):
            known = np.isfinite(made) & np.isfinite(wanted)
            x, y = (centred(values[known], self.scanners[known]) for values in (wanted, made))
            spread = float((x @ x) * (y @ y))
            result["slope"][name] = float(x @ y / (x @ x)) if spread else 0.0
            result["within_r"][name] = float(x @ y / np.sqrt(spread)) if spread else 0.0
            result["offset"][name] = float(np.mean(made[known] - wanted[known]))
        return result


def centred(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """`values` (n,) minus the mean of their group; a group of one has nothing to tell and gives 0."""
    return values - np.array([values[groups == group].mean() for group in groups])
