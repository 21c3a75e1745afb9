"""The left and the right part of a structure that a patient has twice."""

import numpy as np
from scipy.ndimage import label

from intrastyler_nnunet.grids import SamplingGrid
from intrastyler_nnunet.structures import Labels

GAP = 10.0  # mm between an only part and the plane beyond which the other side would begin


def told_apart(
    prediction: np.ndarray, reference: np.ndarray, labels: Labels, name: str, grid: SamplingGrid
) -> tuple[tuple[np.ndarray, np.ndarray], Labels]:
    """Give the right part of a structure values of its own, and `labels` the structures NAME_left and NAME_right.

    A plane across the patient's left-right axis divides prediction and reference: midway between the two largest parts
    of the reference. Where the reference has one part alone, the plane is the middle of the image, or `GAP` beyond the
    part if that is nearer to the image's border.

    Args:
        prediction, reference: (Z, Y, X) label maps on `grid`.
        labels: value or values of each structure.
        name: of the structure.
        grid: where the voxels lie in the patient.
    """
    own = _values(labels[name])
    others = {value: max(map(max, map(_values, labels.values()))) + place for place, value in enumerate(own, start=1)}
    across = _towards_left(reference.shape, grid)
    is_right = across < _plane(np.isin(reference, own), across)
    arrays = _replaced(prediction, others, is_right), _replaced(reference, others, is_right)
    whole = {key: _values(values) + tuple(others[v] for v in _values(values) if v in others)
             for key, values in labels.items()}  # fmt: skip
    return arrays, whole | {f"{name}_left": own, f"{name}_right": tuple(others.values())}


def _towards_left(shape: tuple[int, ...], grid: SamplingGrid) -> np.ndarray:
    """Where each voxel lies along the patient's left-right axis in mm, larger to the left: (Z, Y, X)."""
    x, y, z = (cosine * step for cosine, step in zip(grid.direction[:3], grid.spacing, strict=True))
    indices = np.ogrid[tuple(slice(length) for length in shape)]
    return grid.origin[0] + z * indices[0] + y * indices[1] + x * indices[2]


def _plane(mask: np.ndarray, across: np.ndarray) -> float:
    """Where the two sides meet, on the scale of `across`."""
    middle = float(across.min() + across.max()) / 2
    parts, count = label(mask)
    if count == 0:
        return middle
    sizes = np.bincount(parts.ravel())[1:]
    largest = np.argsort(-sizes, kind="stable")[:2] + 1
    if count > 1:
        return float(np.mean([across[parts == part].mean() for part in largest]))
    places = across[mask]
    return min(middle, places.min() - GAP) if places.mean() > middle else max(middle, places.max() + GAP)


def _replaced(array: np.ndarray, others: dict[int, int], where: np.ndarray) -> np.ndarray:
    array = array.astype(np.int64)
    for value, other in others.items():
        array[(array == value) & where] = other
    return array


def _values(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
