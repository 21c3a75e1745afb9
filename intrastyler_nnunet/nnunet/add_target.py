"""Unlabelled target images through the very plans and preprocessor of the labelled source images."""
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from batchgenerators.utilities.file_and_folder_operations import load_pickle, write_pickle
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.target_images import check_target_image, find_target_images
from intrastyler_nnunet.styles.windows import read_windows

FINGERPRINT = "intrastyler_fingerprint"  # entry of a case's properties: what it was made from
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Case:
    """One target image and where its preprocessed files go."""

    name: str
    image: Path
    folder: Path
    plans: PlansManager
    configuration: ConfigurationManager
    dataset_json: dict


def add_target(
    dataset: int | str,
    plans_name: str,
    processes: int,
    configuration_names: Sequence[str] = (),
    image_folder: Path | None = None,
) -> list[Path]:
    """Preprocess target images for an nnU-Net dataset and cache the intensity windows of source and target.

    Cases that are complete and up to date are skipped, so an interrupted run can be repeated.

    Args:
        dataset: id or name.
        plans_name: nnU-Net's plans identifier.
        processes: worker processes.
        configuration_names: of the plans; none means all whose source images are preprocessed.
        image_folder: of `<case>_0000<file ending>` images; None means nnUNet_raw/DatasetXXX/imagesTarget.

    Returns:
        The folders that now hold the target cases.

    Raises:
        InputError: the input is wrong, and nothing has been written; or a worker was killed.
    """
    if processes < 1:
        raise InputError(f"-np is {processes}, expected 1 or more")
    plans = folders.read_plans(dataset, plans_name)
    dataset_json = folders.read_dataset_json(dataset)
    names = _distinct(plans, configuration_names or _preprocessed_configurations(dataset, plans))
    sources = [folders.configuration_folder(dataset, plans, name) for name in names]
    targets = [folders.target_folder(dataset, plans, name) for name in names]
    images = find_target_images(
        image_folder or folders.raw_folder(dataset) / "imagesTarget", dataset_json["file_ending"]
    )
    with _workers(processes) as pool:
        _check_images(pool, list(images.values()), plans)
        for name, target in zip(names, targets, strict=True):
            _preprocess_images(pool, images, target, plans, plans.get_configuration(name), dataset_json)
    for folder in (*sources, *targets):
        read_windows(folder, processes, progress=True)
    return targets


def _distinct(plans: PlansManager, names: Sequence[str]) -> list[str]:
    """Of configurations that share their preprocessed files (one inherits from the other), the first one.

    Raises InputError for a configuration of several channels.
    """
    distinct: dict[str, str] = {}
    for name in names:
        configuration = folders.read_configuration(plans, name)
        channels = len(configuration.normalization_schemes)
        if channels != 1:
            raise InputError(f"{plans.dataset_name} has {channels} image channels; expected one")
        distinct.setdefault(configuration.data_identifier, name)
    return list(distinct.values())


def _preprocessed_configurations(dataset: int | str, plans: PlansManager) -> list[str]:
    base = folders.preprocessed_folder(dataset)
    names = [
        name
        for name in plans.available_configurations
        if folders.case_names(base / plans.get_configuration(name).data_identifier)
    ]
    if not names:
        raise InputError(f"{base}: no preprocessed source cases; run nnUNetv2_preprocess -d {dataset} first")
    return names


def _preprocess_images(
    pool: ProcessPoolExecutor,
    images: dict[str, Path],
    folder: Path,
    plans: PlansManager,
    configuration: ConfigurationManager,
    dataset_json: dict,
) -> None:
    """Preprocess those images into `folder` that are not there yet or out of date."""
    _remove_unfinished(folder)
    cases = [Case(name, image, folder, plans, configuration, dataset_json) for name, image in images.items()]
    outdated = [case for case in cases if not _up_to_date(case)]
    if len(outdated) < len(cases):
        print(f"{folder.name}: {len(cases) - len(outdated)} of {len(cases)} cases are up to date")
    _finished([pool.submit(_preprocess, case) for case in outdated], folder.name)


def _check_images(pool: ProcessPoolExecutor, images: list[Path], plans: PlansManager) -> None:
    reader = plans.image_reader_writer_class()
    problems = _finished([pool.submit(check_target_image, image, reader) for image in images], "checking")
    problems = [problem for problem in problems if problem is not None]
    if problems:
        more = f" (and {len(problems) - 1} more unusable images)" if len(problems) > 1 else ""
        raise InputError(min(problems) + more)


def _preprocess(case: Case) -> None:
    """Let nnU-Net's preprocessor write the case aside, then move it into place, the image last.

    The image is what makes a case look complete (`folders.case_names`).
    """
    _image_file(case).unlink(missing_ok=True)
    with TemporaryDirectory(prefix=UNFINISHED, dir=case.folder) as aside:
        preprocessor = case.configuration.preprocessor_class(verbose=False)
        preprocessor.run_case_save(
            str(Path(aside) / case.name),
            [str(case.image)],
            None,
            case.plans,
            case.configuration,
            case.dataset_json,
        )
        properties = Path(aside) / f"{case.name}.pkl"
        write_pickle(load_pickle(str(properties)) | {FINGERPRINT: _fingerprint(case)}, str(properties))
        for ending in (".pkl", "_seg.b2nd", ".b2nd"):
            os.replace(Path(aside) / f"{case.name}{ending}", case.folder / f"{case.name}{ending}")


def _up_to_date(case: Case) -> bool:
    if not _image_file(case).is_file():
        return False
    properties = load_pickle(str(case.folder / f"{case.name}.pkl"))
    return properties.get(FINGERPRINT) == _fingerprint(case)


def _image_file(case: Case) -> Path:
    return case.folder / f"{case.name}.b2nd"


def _fingerprint(case: Case) -> str:
    """Checksum of what a preprocessed case depends on: the image file and the plans' preprocessing."""
    plans, configuration = case.plans.plans, case.configuration.configuration
    preprocessing = {
        name: configuration.get(name)
        for name in sorted(configuration)
        if name in ("preprocessor_name", "spacing", "normalization_schemes", "use_mask_for_norm")
        or name.startswith("resampling_fn")
    }
    status = case.image.stat()
    content = [
        status.st_size,
        status.st_mtime_ns,
        preprocessing,
        plans["transpose_forward"],
        plans["image_reader_writer"],
        case.plans.foreground_intensity_properties_per_channel,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _remove_unfinished(folder: Path) -> None:
    """Make the folder; clear what a killed run left in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(leftover)


@contextmanager
def _workers(processes: int) -> Iterator[ProcessPoolExecutor]:
    try:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            yield pool
    except BrokenProcessPool:
        raise InputError("a worker was killed, probably for lack of memory; lower -np") from None


def _finished(jobs: list[Future], description: str) -> list:
    """Wait for all jobs behind a progress bar; the first error cancels the rest."""
    try:
        for job in tqdm(as_completed(jobs), description, len(jobs)):
            job.result()
    except BaseException:
        for job in jobs:
            job.cancel()
        raise
    return [job.result() for job in jobs]
