"""Pictures by which a person checks where images were cut."""

from pathlib import Path

import matplotlib.image
import numpy as np
import SimpleITK

from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.grids import SamplingGrid

TILE = 160  # pixels of a case in the sheet
COLUMNS = 10
YELLOW = (1.0, 0.85, 0.0)


def write_overview(image: SimpleITK.Image, region: SamplingGrid, path: Path) -> None:
    """The slice through the region's middle, with the region's outline; TILE pixels wide and high."""
    corner, far = (
        image.TransformPhysicalPointToContinuousIndex(region.empty().TransformContinuousIndexToPhysicalPoint(index))
        for index in ([0.0, 0.0, 0.0], [float(length - 1) for length in region.size])
    )
    width, height, depth = image.GetSize()
    middle = int(np.clip(round((corner[2] + far[2]) / 2), 0, depth - 1))
    picture = SimpleITK.GetArrayFromImage(image[:, :, middle]).astype(float)
    low, high = picture.min(), np.percentile(picture, 99.5)
    picture = np.clip((picture - low) / max(high - low, 1e-9), 0, 1)
    # Pixels of a tile, in the patient's proportions.
    extent = np.multiply((width, height), image.GetSpacing()[:2])
    shown = np.maximum(np.round(TILE * extent / extent.max()).astype(int), 1)
    columns, rows = (np.arange(n) * size // n for n, size in zip(shown, (width, height), strict=True))
    tile = np.zeros((TILE, TILE, 3))
    tile[: shown[1], : shown[0]] = picture[np.ix_(rows, columns)][..., None]
    scale = shown / (width, height)
    (left, top), (right, bottom) = (
        np.clip(np.round(point[:2] * scale), 0, shown - 1).astype(int) for point in (np.array(corner), np.array(far))
    )
    for outline in (np.s_[[top, bottom], left : right + 1], np.s_[top : bottom + 1, [left, right]]):
        tile[outline] = YELLOW
    with written_atomically(path) as temporary:
        matplotlib.image.imsave(temporary, tile)


def write_sheet(overviews: list[Path], path: Path) -> None:
    """All overviews on one picture, in order, COLUMNS side by side."""
    tiles = [matplotlib.image.imread(overview)[..., :3] for overview in overviews]
    if not tiles:
        return
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[i : i + COLUMNS], axis=1) for i in range(0, len(tiles), COLUMNS)]
    with written_atomically(path) as temporary:
        matplotlib.image.imsave(temporary, np.concatenate(rows))
