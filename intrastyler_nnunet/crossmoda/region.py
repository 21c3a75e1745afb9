"""The region around the cochleae that is cut out of every image (the 2023 winner's recipe)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from intrastyler_nnunet.typed_json import GridSize, Spacing

if TYPE_CHECKING:  # the command line reads the defaults below and should not wait for SimpleITK
    import SimpleITK

    from intrastyler_nnunet.grids import SamplingGrid

Distance = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class Region:
    """Extent of the region along x, y, z of an LPS image."""

    spacing: tuple[Spacing, Spacing, Spacing] = (0.41015625, 0.41015625, 1.0)  # mm; median of the T2 images
    size: GridSize = (256, 144, 32)  # voxels of that spacing
    margin: tuple[Distance, Distance] = (10.25, 10.25)  # mm beside (x) and before (y) the cochleae
    one_sided: Distance = 20.5  # mm; cochleae that span less than this along x are one cochlea


def cochlear_region(cochleae: np.ndarray, image: SamplingGrid, region: Region) -> SamplingGrid:
    """The grid of the region around the cochleae.

    x: centred on both cochleae; where only one is seen, it reaches from `margin` beside it across the midline.
    y: begins `margin` before them, because tumour and brainstem lie behind. z: centred on them. Parts beyond the
    image are padding.

    Args:
        cochleae: (N, 3) indices (x, y, z) of cochlea voxels in `image`, N > 0.
        image: grid of the LPS image.
        region: spacing and size.
    """
    scale = np.divide(image.spacing, region.spacing)
    low, high = cochleae.min(axis=0) * scale, cochleae.max(axis=0) * scale
    size, margin = np.array(region.size), np.divide(region.margin, region.spacing[:2])
    start = (low + high - size) / 2
    start[1] = low[1] - margin[1]
    if (high[0] - low[0]) * region.spacing[0] < region.one_sided:
        middle = (image.size[0] - 1) / 2 * scale[0]
        on_low_side = (low[0] + high[0]) / 2 < middle
        start[0] = low[0] - margin[0] if on_low_side else high[0] + margin[0] - size[0]
    return image.part(tuple((np.round(start) / scale).tolist()), region.size, region.spacing)


def region_around(labels: SimpleITK.Image, value: int, image: SimpleITK.Image, region: Region) -> SamplingGrid | None:
    """`cochlear_region` of an LPS image whose cochleae are `value` in a label map; None if none is there."""
    import SimpleITK

    from intrastyler_nnunet.grids import SamplingGrid

    found = np.argwhere(SimpleITK.GetArrayViewFromImage(labels) == value)
    if not len(found):
        return None
    points = [labels.TransformContinuousIndexToPhysicalPoint(index[::-1].tolist()) for index in found]
    indices = np.array([image.TransformPhysicalPointToContinuousIndex(point) for point in points])
    return cochlear_region(indices, SamplingGrid.of(image), region)


def whole_image(image: SamplingGrid, region: Region) -> SamplingGrid:
    """The whole field of view at the region's spacing, for an image whose cochleae are not known."""
    extent = np.multiply(np.subtract(image.size, 1), image.spacing)
    size = np.maximum(np.floor(extent / region.spacing).astype(int) + 1, 1)
    return image.part((0.0, 0.0, 0.0), tuple(size.tolist()), region.spacing)
