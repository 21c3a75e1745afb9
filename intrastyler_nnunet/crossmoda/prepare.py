"""From the download to an nnU-Net dataset of images cut to the cochlear region."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK
from tqdm import tqdm

from intrastyler_nnunet.crossmoda.download import DownloadedCase, Edition
from intrastyler_nnunet.crossmoda.quality_control import write_overview, write_sheet
from intrastyler_nnunet.crossmoda.region import Region, region_around, whole_image
from intrastyler_nnunet.errors import InputError, reason_of, require_none
from intrastyler_nnunet.files import remove_half_written, write_json
from intrastyler_nnunet.grids import SamplingGrid, image_onto, labels_onto, require_same_grid, to_lps
from intrastyler_nnunet.images import read_volume, write_image
from intrastyler_nnunet.label_maps import read_label_map
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.typed_json import read_json
from intrastyler_nnunet.workers import workers

IMAGE_FOLDERS = {"source": "imagesTr", "target": "imagesTarget", "test": "imagesTs"}
RECORDS = "geometry"  # folder of the cases' records
OVERVIEWS = "quality_control"
LARGEST = 500_000_000  # voxels: what a worker needs for them is eight times as many bytes or more


@dataclass(frozen=True)
class Preparation:
    """What the result for a case depends on."""

    region: Region
    localiser: bool
    inputs: tuple[tuple[str, int, int], ...]  # path, size, and time of writing of each file


@dataclass(frozen=True)
class CaseRecord:
    """How a case was prepared, and where it comes back to; kept as `geometry/<case>.json`."""

    original: SamplingGrid
    region: SamplingGrid
    whole_image: bool
    settings: Preparation


def read_record(path: Path) -> CaseRecord:
    """A case's record. Raises InputError if `path` is none."""
    return read_json(path, CaseRecord, "a record of prepare", "ignore")


@dataclass(frozen=True)
class Job:
    """One case and what to do with it."""

    case: DownloadedCase
    cochleae: Path | None  # label map of the cochleae of an unlabelled image, on its own grid
    edition: Edition
    region: Region
    dataset: Path  # nnUNet_raw/DatasetXXX_Name
    localiser: bool = False  # whole fields of view, and the cochlea as the only label

    @property
    def record(self) -> Path:
        """Written last, so it says that the case is complete."""
        return self.dataset / RECORDS / f"{self.case.case}.json"

    @property
    def settings(self) -> Preparation:
        """What the result depends on, for the record."""
        inputs = [path for path in (self.case.image, self.case.label, self.cochleae) if path is not None]
        states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in inputs]
        return Preparation(self.region, self.localiser, tuple(states))


def prepare(jobs: list[Job], edition: Edition, dataset: Path, processes: int) -> list[str]:
    """Write every case that is not complete yet, then what describes the dataset.

    Returns:
        The cases whose cochleae are not known and which therefore keep their whole field of view.

    Raises:
        InputError: a case cannot be used (see `require_none`); all others are written.
    """
    with locked(dataset):
        remove_half_written(dataset)
        return _prepare_cases(jobs, edition, dataset, processes)


def _prepare_cases(jobs: list[Job], edition: Edition, dataset: Path, processes: int) -> list[str]:
    _remove_orphans(dataset, {job.case.case for job in jobs})
    waiting = [job for job in jobs if not _is_complete(job)]
    if len(waiting) < len(jobs):
        print(f"{dataset.name}: {len(jobs) - len(waiting)} of {len(jobs)} cases are complete")
    with workers(processes) as pool:
        problems = list(tqdm(pool.map(_prepare_case, waiting), "prepare", len(waiting)))
    done = [job for job in jobs if job.record.is_file()]
    _describe(done, jobs[0].localiser, edition, dataset)
    write_sheet([dataset / OVERVIEWS / f"{job.case.case}.png" for job in done], dataset / f"{OVERVIEWS}.png")
    problems = [problem for problem in problems if problem]
    require_none(problems, f"{len(jobs)} cases cannot be used, the others are written")
    return [job.case.case for job in done if read_record(job.record).whole_image]


def _prepare_case(job: Job) -> str | None:
    """Write one case; returns what is wrong with it, if anything."""
    try:
        case, values = job.case, set(job.edition.labels.values())
        image = read_volume(case.image)
        original, image = SamplingGrid.of(image), to_lps(image)
        reference = case.label or job.cochleae
        labels = None
        if reference is not None:
            labels = to_lps(read_label_map(reference, values if case.label else {0, 1, *values}).image)
            require_same_grid(SamplingGrid.of(labels), SamplingGrid.of(image), reference, case.image)
        grid, whole = _grid_of(job, image, labels)
        if np.prod(grid.size) > LARGEST:
            raise InputError(
                f"{case.image}: becomes {grid.size} voxels, expected {LARGEST:g} at most; give a larger --spacing or a "
                "smaller --size"
            )
        write_image(image_onto(image, grid), job.dataset / IMAGE_FOLDERS[case.split] / f"{case.case}_0000.nii.gz")
        if case.label:
            if job.localiser:
                labels = labels == job.edition.cochlea
            write_image(labels_onto(labels, grid), job.dataset / "labelsTr" / f"{case.case}.nii.gz")
        write_overview(image, grid, job.dataset / OVERVIEWS / f"{case.case}.png")
        write_json(asdict(CaseRecord(original, grid, whole, job.settings)), job.record)
    except InputError as error:
        return str(error)
    except OSError as error:
        return reason_of(error)
    return None


def _grid_of(job: Job, image: SimpleITK.Image, labels: SimpleITK.Image | None) -> tuple[SamplingGrid, bool]:
    """The region around the cochleae, or the whole image (True) where they are not known or not to be cut out."""
    grid = SamplingGrid.of(image)
    if job.localiser:
        return whole_image(grid, job.region), True
    if labels is not None:
        # A localiser for the cochlea alone calls it 1; the challenge's label maps have their own value.
        alone = job.cochleae is not None and SimpleITK.GetArrayViewFromImage(labels).max() <= 1
        cut = region_around(labels, 1 if alone else job.edition.cochlea, image, job.region)
        if cut is not None:
            return cut, False
    if job.case.label:
        raise InputError(f"{job.case.label}: found no cochlea, expected label {job.edition.cochlea}")
    return whole_image(grid, job.region), True


def _remove_orphans(dataset: Path, cases: Collection[str]) -> None:
    """Remove cases whose image has gone from the download since: nnU-Net would go on training on them.

    What another download gave, which is still there, stays.
    """
    for record in sorted((dataset / RECORDS).glob("*.json")):
        image = Path(read_record(record).settings.inputs[0][0])
        if record.stem in cases or image.exists():
            continue
        for folder in IMAGE_FOLDERS.values():
            (dataset / folder / f"{record.stem}_0000.nii.gz").unlink(missing_ok=True)
        (dataset / "labelsTr" / f"{record.stem}.nii.gz").unlink(missing_ok=True)
        (dataset / OVERVIEWS / f"{record.stem}.png").unlink(missing_ok=True)
        record.unlink()
        print(f"{record.stem}: removed from {dataset.name}, for {image} is no longer there")


def _is_complete(job: Job) -> bool:
    return job.record.is_file() and read_record(job.record).settings == job.settings


def _describe(jobs: list[Job], localiser: bool, edition: Edition, dataset: Path) -> None:
    write_json({"cases": [{"case": job.case.case, "site": job.case.site, "split": job.case.split} for job in jobs]},
               dataset / "sites.json")  # fmt: skip
    labels = {"background": 0, "cochlea": 1} if localiser else edition.labels
    count = sum(job.case.split == "source" for job in jobs)
    write_json({"channel_names": {"0": "MRI"}, "labels": labels, "numTraining": count,
                "file_ending": ".nii.gz"}, dataset / "dataset.json")  # fmt: skip
