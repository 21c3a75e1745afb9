"""The intensity window of a case, and the map between nnU-Net's intensities and the generator's."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.typed_json import Check, FileName, read_json


def intensity_window(volume: np.ndarray) -> tuple[float, float]:
    """Minimum and 99.9th percentile of a whole preprocessed volume, in nnU-Net space."""
    return float(np.min(volume)), float(np.percentile(volume, 99.9))


def to_generator_space(images: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """clip((z - lo) / (hi - lo), 0, 1) * 2 - 1.

    Args:
        images: (B, C, *spatial) in nnU-Net space.
        windows: (B, 2), each image's (lo, hi).

    Returns:
        (B, C, *spatial) in [-1, 1].
    """
    lo, hi = _bounds(images, windows)
    return ((images - lo) / (hi - lo)).clamp(0, 1) * 2 - 1


def from_generator_space(images: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """Inverse of `to_generator_space` within the window: [-1, 1] -> [lo, hi]."""
    lo, hi = _bounds(images, windows)
    return (images + 1) / 2 * (hi - lo) + lo


def _ascending(window: tuple[float, float]) -> tuple[float, float]:
    if window[0] > window[1]:
        raise InputError("expected the smaller value first")
    return window


@dataclass(frozen=True)
class CachedWindow:
    """The intensity window of a preprocessed case, and when that was written."""

    window: Annotated[tuple[float, float], Check(_ascending)]
    case_written_ns: int


def read_windows(folder: Path, pool: Executor | None = None, channel: int = 0) -> dict[str, tuple[float, float]]:
    """The windows of all preprocessed cases in `folder`, cached as JSON; computes those missing or out of date.

    Args:
        folder: a preprocessed folder of nnU-Net (`<plans>_<config>` or `<plans>_<config>_target`).
        pool: workers that compute missing windows, behind a progress bar; None computes them in this process.
        channel: whose windows.

    Raises:
        InputError: the cache is damaged; a window is empty or not finite, because all but a thousandth of a case's
            voxels are one value.
    """
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    path = windows_file(folder, channel)
    cases = sorted(nnUNetDatasetBlosc2.get_identifiers(str(folder)))
    written = {case: (Path(folder) / f"{case}.b2nd").stat().st_mtime_ns for case in cases}
    what = "cached intensity windows; without the file they are computed"
    cached = read_json(path, dict[FileName, CachedWindow], what, "ignore") if path.is_file() else {}
    known = {
        case: cached[case].window for case in cases if case in cached and cached[case].case_written_ns == written[case]
    }
    missing = [case for case in cases if case not in known]
    if missing:
        jobs = [(str(folder), case, channel) for case in missing]
        results = (pool.map if pool else map)(_window_of, jobs)
        description = f"{Path(folder).name}: intensity windows"
        computed = list(tqdm(results, description, len(jobs), disable=pool is None))
        known.update(zip(missing, computed, strict=True))
        write_json({case: asdict(CachedWindow(known[case], written[case])) for case in cases}, path)
    for case, (low, high) in known.items():
        if not (np.isfinite([low, high]).all() and low < high):
            found = f"found an intensity window from {low:g} to {high:g}"
            raise InputError(f"{folder}/{case}: {found}, expected an image of more than one value")
    return {case: known[case] for case in cases}


@contextmanager
def named_case(path: Path) -> Iterator[None]:
    """Within the block, a preprocessed case that cannot be read raises InputError with its `path`."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # nnU-Net, blosc2 and pickle raise whatever they like
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        what = "expected a preprocessed case; preprocess it again"
        raise InputError(f"{path}: cannot be read ({reason}), {what}") from None


def windows_file(folder: Path, channel: int = 0) -> Path:
    """Where a channel's windows are cached: beside `folder`, as nnU-Net refuses JSON among preprocessed cases."""
    folder = Path(folder)
    return folder.with_name(f"{folder.name}_intensity_windows{f'_{channel}' if channel else ''}.json")


def _window_of(job: tuple[str, str, int]) -> tuple[float, float]:
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    folder, case, channel = job
    with named_case(Path(folder, case)):
        window = intensity_window(nnUNetDatasetBlosc2(folder, [case]).load_case(case)[0][channel])
    if not np.isfinite(window).all():
        raise InputError(f"{Path(folder) / case}.b2nd: found NaN or infinite voxels, expected finite ones")
    return window


def _bounds(images: torch.Tensor, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (-1,) + (1,) * (images.ndim - 1)
    return windows[:, 0].reshape(shape), windows[:, 1].reshape(shape)
