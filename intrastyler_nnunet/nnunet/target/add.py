"""Unlabelled target images through the very plans and preprocessor of the labelled source images."""

from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError, require_none
from intrastyler_nnunet.files import remove_half_written
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.cases import one_channel_plans, translated_channel
from intrastyler_nnunet.nnunet.target.case import TargetCase, is_up_to_date, preprocess, remove_orphans
from intrastyler_nnunet.nnunet.target.raw_images import check_target_image, find_target_images
from intrastyler_nnunet.translation.windows import read_windows
from intrastyler_nnunet.workers import WHOLE, Part, workers

TARGETS, TRUTHS = "imagesTarget", "imagesTrPaired"  # folders of the raw dataset


def add_target(
    dataset: int | str,
    plans_name: str,
    processes: int,
    configuration_names: Sequence[str] = (),
    image_folder: Path | None = None,
    channel: str | None = None,
    part: Part = WHOLE,
) -> list[Path]:
    """Preprocess target images for an nnU-Net dataset and cache the intensity windows of source and target.

    Cases that are complete and up to date are skipped, so an interrupted run can be repeated. Those whose image has
    gone from the folder since are removed: they are no exemplars any more. Cases of other folders stay. Simulated
    truths (`imagesTrPaired`) get the same preprocessing, into a folder of their own.

    Args:
        dataset: id or name.
        plans_name: nnU-Net's plans identifier.
        processes: worker processes.
        configuration_names: of the plans; none means all whose source images are preprocessed.
        image_folder: of `<case>_0000<file ending>` images; None means nnUNet_raw/DatasetXXX/imagesTarget.
        channel: name of the source's channel that is translated, whose preprocessing they get; None: the only one.
        part: of several processes that share the part.

    Returns:
        The folders that now hold the target cases.

    Raises:
        InputError: the input is wrong, and nothing has been written; or a worker was killed.
    """
    dataset_json = folders.read_dataset_json(dataset)
    channel_index = translated_channel(dataset_json, channel)
    plans = one_channel_plans(folders.read_plans(dataset, plans_name), channel_index)
    names = _distinct(plans, configuration_names or _preprocessed_configurations(dataset, plans))
    sources = [folders.configuration_folder(dataset, plans, name) for name in names]
    targets = [folders.target_folder(dataset, plans, name) for name in names]
    ending = dataset_json["file_ending"]
    images = find_target_images(image_folder or folders.raw_folder(dataset) / TARGETS, ending)
    truths = _truths(dataset, ending) if image_folder is None else {}
    origin = TARGETS if image_folder is None else str(image_folder.absolute())
    with workers(processes) as pool:
        configurations = [plans.get_configuration(name) for name in names]
        _check_images(pool, part.of([*images.values(), *truths.values()]), plans, configurations)
        with locked(part.lock(folders.preprocessed_folder(dataset))):
            for name, source, target in zip(names, sources, targets, strict=True):
                read_windows(
                    source, pool, channel_index, None if part == WHOLE else part.of(folders.case_names(source))
                )
                _preprocess_images(pool, images, origin, target, plans, name, dataset_json, part)
                folder = folders.truth_folder(dataset, plans, name)
                if image_folder is None and (truths or folder.is_dir()):
                    _preprocess_images(pool, truths, TRUTHS, folder, plans, name, dataset_json, part)
    return targets


def _truths(dataset: int | str, ending: str) -> dict[str, Path]:
    """Images of the source subjects in target protocols; none unless the data are simulated with them."""
    folder = folders.raw_folder(dataset) / TRUTHS
    return find_target_images(folder, ending) if folder.is_dir() else {}


def _distinct(plans: PlansManager, names: Sequence[str]) -> list[str]:
    """The configurations without those that share the preprocessed files of one before (by inheritance)."""
    distinct: dict[str, str] = {}
    for name in names:
        distinct.setdefault(folders.read_configuration(plans, name).data_identifier, name)
    return list(distinct.values())


def _preprocessed_configurations(dataset: int | str, plans: PlansManager) -> list[str]:
    base = folders.preprocessed_folder(dataset)
    names = [
        name
        for name in plans.available_configurations
        if folders.case_names(base / folders.read_configuration(plans, name).data_identifier)
    ]
    if not names:
        raise InputError(f"{base}: no preprocessed source cases; run nnUNetv2_preprocess -d {dataset} first")
    return names


def _preprocess_images(
    pool: ProcessPoolExecutor,
    images: dict[str, Path],
    origin: str,
    folder: Path,
    plans: PlansManager,
    configuration_name: str,
    dataset_json: dict,
    part: Part,
) -> None:
    """Preprocess those of a part's images into `folder` that are not there or out of date, and cache their windows."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_half_written(folder)
    orphans = remove_orphans(folder, images, origin) if part.number == 0 else []
    if orphans:
        print(f"{folder.name}: removed, for their images are no longer in {origin}: {', '.join(orphans)}")
    configuration = plans.get_configuration(configuration_name)
    cases = [
        TargetCase(name, images[name], folder, plans, configuration, dataset_json, origin=origin)
        for name in part.of(list(images))
    ]
    outdated = [case for case in cases if not is_up_to_date(case)]
    if len(outdated) < len(cases):
        print(f"{folder.name}: {len(cases) - len(outdated)} of {len(cases)} cases are up to date")
    _finished([pool.submit(preprocess, case) for case in outdated], folder.name)
    read_windows(folder, pool, cases=None if part == WHOLE else [case.name for case in cases])


def _check_images(
    pool: ProcessPoolExecutor, images: list[Path], plans: PlansManager, configurations: list[ConfigurationManager]
) -> None:
    jobs = [pool.submit(check_target_image, image, plans, configurations) for image in images]
    problems = _finished(jobs, "checking")
    problems = [problem for problem in problems if problem is not None]
    require_none(problems, f"{len(images)} images cannot be used, nothing is written")


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
