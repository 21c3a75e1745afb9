"""The intensity window of a case, and the map between nnU-Net's intensities and the generator's."""

import errno
import hashlib
from collections.abc import Collection, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.locks import locked_in_turn
from intrastyler_nnunet.typed_json import Check, FileName, Text, read_json

READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
SAMPLE = 1 << 16  # bytes of a file that are looked at in each of three places
READERS = 16  # threads, which mostly wait for the disk


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
    """The intensity window of a preprocessed case, and what tells that the case is still the same."""

    window: Annotated[tuple[float, float], Check(_ascending)]
    case_written_ns: int  # when the case was written; a copy may have another time and the same content
    content: Text | None = None  # see `_content_of`; files of former versions have none


def read_windows(
    folder: Path, pool: Executor | None = None, channel: int = 0, cases: Collection[str] | None = None
) -> dict[str, tuple[float, float]]:
    """The windows of the preprocessed cases in `folder`, cached as JSON; computes those missing or out of date.

    A cache that cannot be written, such as one on a read-only disk, is done without.

    Args:
        folder: a preprocessed folder of nnU-Net (`<plans>_<config>` or `<plans>_<config>_target`).
        pool: workers that compute missing windows, behind a progress bar; None computes them in this process.
        channel: whose windows.
        cases: only these of the folder's; None: all.

    Raises:
        InputError: the cache is damaged; a window is empty or not finite, because all but a thousandth of a case's
            voxels are one value.
    """
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    found = sorted(nnUNetDatasetBlosc2.get_identifiers(str(folder)))
    wanted = found if cases is None else sorted(set(found) & set(cases))
    written = {case: (Path(folder) / f"{case}.b2nd").stat().st_mtime_ns for case in wanted}
    path = windows_file(folder, channel)
    cached = _cached(path)
    known = {case: cached[case] for case in wanted if case in cached and cached[case].case_written_ns == written[case]}
    others = [case for case in wanted if case not in known or known[case].content is None]
    with ThreadPoolExecutor(READERS) as readers:
        checksums = readers.map(_content_of, [Path(folder) / f"{case}.b2nd" for case in others])
        contents = dict(zip(others, checksums, strict=True))
    for case, content in contents.items():
        before = known.get(case) or cached.get(case)
        if before is not None and (case in known or before.content == content):
            known[case] = CachedWindow(before.window, written[case], content)
    missing = [case for case in wanted if case not in known]
    if missing:
        jobs = [(str(folder), case, channel) for case in missing]
        results = (pool.map if pool else map)(_window_of, jobs)
        description = f"{Path(folder).name}: intensity windows"
        computed = tqdm(results, description, len(jobs), disable=pool is None)
        for case, window in zip(missing, computed, strict=True):
            known[case] = CachedWindow(window, written[case], contents[case])
    if others or (cases is None and cached.keys() - known.keys()):
        _store(path, known, found)
    for case in wanted:
        low, high = known[case].window
        if not (np.isfinite([low, high]).all() and low < high):
            message = f"found an intensity window from {low:g} to {high:g}"
            raise InputError(f"{folder}/{case}: {message}, expected an image of more than one value")
    return {case: known[case].window for case in wanted}


def _cached(path: Path) -> dict[str, CachedWindow]:
    what = "cached intensity windows; without the file they are computed"
    return read_json(path, dict[FileName, CachedWindow], what, "ignore") if path.is_file() else {}


def _store(path: Path, known: dict[str, CachedWindow], cases: list[str]) -> None:
    """Add to the cache; what others have added since, for cases that are there, stays."""
    try:
        with locked_in_turn(path.with_name(f".{path.stem}")):
            entries = _cached(path) | known
            write_json({case: asdict(entries[case]) for case in cases if case in entries}, path)
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise


def _content_of(path: Path) -> str:
    """A checksum of a preprocessed case's size, beginning, middle and end.

    The end of a blosc2 file says where each of its compressed chunks lies, so that hardly a change leaves it as it is,
    and thousands of cases are looked at in seconds.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for start in (0, size // 2, max(0, size - SAMPLE)):
            file.seek(start)
            digest.update(file.read(SAMPLE))
    return digest.hexdigest()


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
