"""Write a simulated dataset in nnU-Net's raw format."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import is_unused, remove_half_written, write_json
from intrastyler_nnunet.images import write_image
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.simulation.grid import Grid
from intrastyler_nnunet.simulation.head import HEADS
from intrastyler_nnunet.simulation.patient import build_anatomy
from intrastyler_nnunet.simulation.plan import FOLDERS, SCALES, TRAINING_HEADS, Case, plan_dataset
from intrastyler_nnunet.simulation.scanner import scan_anatomy
from intrastyler_nnunet.typed_json import Text, read_json
from intrastyler_nnunet.workers import workers

RAW_VARIABLE = "nnUNet_raw"
DATASET_NAME = "SimCrossMoDA"
LABELS = {"background": 0, "extra_meatal": 1, "intra_meatal": 2, "cochlea": 3}
IMAGE_ENDING, LABEL_ENDING = "_0000.nii.gz", ".nii.gz"


def volume_image(array: np.ndarray, grid: Grid) -> sitk.Image:
    """A volume (x, y, z) on `grid` as a SimpleITK image in LPS orientation."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    image.SetSpacing(grid.spacing)
    x, y, z = (float(axis[0]) for axis in grid.axes())
    image.SetOrigin((-x, -y, z))
    return image


def write_case(case: Case, folder: Path, scale: str, seed: int) -> None:
    """Render a case and write its image (int16) and, where the split has labels, its label map (uint8).

    A case that is already there is left alone.
    """
    image_folder, label_folder = FOLDERS[case.split]
    image_path = folder / image_folder / f"{case.case}{IMAGE_ENDING}"
    if image_path.exists():
        return
    grid = replace(SCALES[scale].grid, centre=case.centre)
    anatomy = build_anatomy(case.sample_subject(seed), grid)
    if label_folder is not None:
        write_image(volume_image(anatomy.labels, grid), folder / label_folder / f"{case.case}{LABEL_ENDING}")
    intensities = np.rint(scan_anatomy(anatomy, case.scan)).clip(0, np.iinfo(np.int16).max)
    write_image(volume_image(intensities.astype(np.int16), grid), image_path)


def raw_folder_for(dataset_id: int) -> Path:
    """Folder of the dataset in nnUNet_raw. Raises `InputError` if that is unset or the id is another dataset's."""
    raw = os.environ.get(RAW_VARIABLE)
    if not raw:
        raise InputError(f"{RAW_VARIABLE} is not set, expected the folder of nnU-Net's raw datasets")
    if not 1 <= dataset_id <= 999:
        raise InputError(f"dataset id {dataset_id}: expected 1 to 999")
    folder = Path(raw) / f"Dataset{dataset_id:03d}_{DATASET_NAME}"
    others = [path for path in Path(raw).glob(f"Dataset{dataset_id:03d}_*") if path != folder]
    if others:
        raise InputError(f"{others[0]}: has the dataset id {dataset_id}, expected an id that is free")
    return folder


@dataclass(frozen=True)
class SimulatedDataset:
    """Content of sites.json."""

    scale: Text  # key of `plan.SCALES`
    seed: int
    paired: bool  # whether it has imagesTrPaired
    test_head: Text
    cases: tuple[Case, ...]


def read_sites(path: Path) -> SimulatedDataset:
    """The sites.json of a simulated dataset. Raises InputError if `path` is none."""
    return read_json(path, SimulatedDataset, "sites.json of this version of the simulation; simulate the dataset anew")


def require_same_simulation(description: SimulatedDataset, path: Path) -> None:
    """Raise `InputError` if the dataset of `path` (sites.json) exists and is not the one described."""
    if not path.exists():
        if not is_unused(path.parent):
            raise InputError(f"{path.parent}: has no sites.json, expected a simulated dataset or an empty folder")
        return
    found = read_sites(path)
    for key in ("scale", "seed", "test_head"):
        before, now = getattr(found, key), getattr(description, key)
        if before != now:
            raise InputError(f"{path}: dataset was made with {key} {before}, expected {now}")
    planned = {case.case: case for case in description.cases}
    if any(planned.get(case.case) != case for case in found.cases):
        raise InputError(f"{path}: dataset was made by another version of the simulation, expected this one")


def simulate_dataset(
    dataset_id: int,
    scale: str = "small",
    seed: int = 0,
    *,
    paired: bool = False,
    test_head: str = TRAINING_HEADS[0],
    processes: int = 2,
    first: int | None = None,
) -> Path:
    """Write DatasetXXX_SimCrossMoDA into nnUNet_raw; continue where an earlier call was interrupted.

    sites.json holds scale, seed and a record per case (`plan.Case`): split, site (the sub-dataset), whether that is
    seen in training, head, subject and scan, which names the scanner. The same arguments give the same bytes.

    Args:
        dataset_id: 1 to 999.
        scale: key of `plan.SCALES`.
        seed: of subjects and scans, 0 or more.
        paired: also write imagesTrPaired, the source subjects in a protocol of every target site seen in training.
        test_head: the head of the test subjects, one of `head.HEADS`.
        processes: worker processes.
        first: only so many cases of each split; a later call without it adds the others.

    Returns:
        The folder of the dataset.

    Raises:
        InputError: bad argument, nnUNet_raw unset, or another dataset in the way.
    """
    if scale not in SCALES:
        raise InputError(f"scale {scale!r}: expected one of {', '.join(SCALES)}")
    if test_head not in HEADS:
        raise InputError(f"test head {test_head!r}: expected one of {', '.join(HEADS)}")
    if seed < 0:
        raise InputError(f"seed {seed}: expected 0 or more")
    folder = raw_folder_for(dataset_id)
    sites_path = folder / "sites.json"
    # Truth that is already there stays part of the dataset.
    paired = paired or (sites_path.exists() and read_sites(sites_path).paired)
    planned = plan_dataset(scale, seed, paired=paired, test_head=test_head)
    cases = [case for split in FOLDERS for case in [case for case in planned if case.split == split][:first]]
    description = SimulatedDataset(scale, seed, paired, test_head, tuple(cases))
    require_same_simulation(description, sites_path)
    with locked(folder):
        require_same_simulation(description, sites_path)  # another process may have begun meanwhile
        write_json(asdict(description), sites_path)
        remove_half_written(folder)
        write_all(partial(write_case, folder=folder, scale=scale, seed=seed), cases, processes)
        write_json(dataset_json(sum(case.split == "source" for case in cases)), folder / "dataset.json")
    return folder


def write_all(write: Callable[[Case], None], cases: list[Case], processes: int) -> None:
    """Write all cases with a progress bar, in this process or in several."""
    progress = partial(tqdm, total=len(cases), desc="Simulating", unit="image")
    if processes == 1:
        for case in progress(cases):
            write(case)
        return
    with workers(processes) as pool:
        for _ in progress(pool.map(write, cases)):
            pass


def dataset_json(training_cases: int) -> dict:
    """nnU-Net's description of the dataset. A channel of no known name is normalised by its z-score."""
    return {
        "name": DATASET_NAME,
        "description": "Simulated ceT1 (labelled) and T2 (unlabelled) images of the skull base",
        "channel_names": {"0": "MRI"},
        "labels": LABELS,
        "numTraining": training_cases,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
    }
