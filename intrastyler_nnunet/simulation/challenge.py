"""SimCrossMoDA as the CrossMoDA challenge's own folder: full fields of view, any orientation, the challenge's names."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import is_unused, remove_half_written, write_json
from intrastyler_nnunet.images import write_image
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.simulation.grid import Grid
from intrastyler_nnunet.simulation.head import HEADS
from intrastyler_nnunet.simulation.patient import build_anatomy
from intrastyler_nnunet.simulation.plan import TRAINING_HEADS, head_of
from intrastyler_nnunet.simulation.protocols import Range, Scan
from intrastyler_nnunet.simulation.raw_dataset import volume_image, write_all
from intrastyler_nnunet.simulation.scanner import scan_anatomy
from intrastyler_nnunet.simulation.sites import sample_scan
from intrastyler_nnunet.simulation.subject import sample_subject
from intrastyler_nnunet.typed_json import Text, read_json

FOLDERS = {
    "source": "crossmoda23_training/TrainingSource",
    "target": "crossmoda23_training/TrainingTarget",
    "validation": "crossmoda23_validation",
}
# Label maps of the T2 images, which the challenge keeps to itself.
TRUTH = {"target": "truth/target", "validation": "truth/validation"}
RECORD = "simulation.json"
FIELD_CENTRE = (0.0, -25.0, -37.0)  # mm, MNI
SLAB_HEIGHT = 56.0  # mm: the head slab ends a little beyond
OBLIQUE_SHARE, TILT = 0.4, 15.0  # of the images, and degrees at most about each axis
AXIS_CODES = (("L", "R"), ("P", "A"), ("S", "I"))


@dataclass(frozen=True)
class Protocol:
    """How a sub-dataset of the challenge images one modality."""

    site: str  # key of `sites.SITES`
    width: Range  # mm, field of view in plane
    in_plane: Range  # mm, voxel
    slices: Range  # mm, distance


# Geometries as measured on the challenge's images; contrasts are those of the simulation's sub-datasets.
PROTOCOLS: dict[str, dict[str, Protocol]] = {
    "ldn": {
        "ceT1": Protocol("source_a", (204.8, 204.8), (0.4, 0.4), (1.0, 1.5)),
        "T2": Protocol("target_a", (192.0, 224.0), (0.5, 0.5), (1.0, 1.5)),
    },
    "etz": {
        "ceT1": Protocol("source_b", (204.8, 204.8), (0.8, 0.8), (1.5, 1.5)),
        "T2": Protocol("target_b", (204.8, 204.8), (0.4, 0.4), (1.0, 1.0)),
    },
    "ukm": {
        "ceT1": Protocol("source_a", (180.0, 210.0), (0.35, 0.86), (0.78, 3.5)),
        "T2": Protocol("target_m", (180.0, 210.0), (0.35, 0.86), (0.78, 3.5)),
    },
}


@dataclass(frozen=True)
class ChallengeScale:
    """Numbers of images, and the smallest voxel (mm in plane, between slices), which bounds time and disk."""

    source: int
    target: int
    validation: int
    smallest_voxel: tuple[float, float]


SCALES = {
    "tiny": ChallengeScale(6, 6, 4, (1.6, 2.0)),
    "small": ChallengeScale(18, 12, 9, (1.0, 1.5)),
    "full": ChallengeScale(60, 75, 30, (0.35, 0.78)),
}


@dataclass(frozen=True)
class ChallengeCase:
    """One image of the simulated download."""

    case: str
    split: str  # key of FOLDERS
    subject: int
    head: str
    scan: Scan
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    orientation: str  # of the stored axes, e.g. "RAS"
    tilt: tuple[float, float, float]  # degrees; the head lies tilted in the scanner and the slices follow it


@dataclass(frozen=True)
class ChallengeSimulation:
    """What a simulated download is made of; with a record per case, content of simulation.json."""

    scale: Text  # key of SCALES
    seed: int
    test_head: Text


def plan_challenge(scale: str, seed: int, test_head: str = TRAINING_HEADS[0]) -> list[ChallengeCase]:
    """All images of a simulated download; sub-datasets take turns, no subject appears twice."""
    cases = []
    for split in FOLDERS:
        for _ in range(getattr(SCALES[scale], split)):
            heads = (test_head,) if split == "validation" else TRAINING_HEADS
            cases.append(_plan_case(split, len(cases), SCALES[scale], seed, head_of(heads, seed, len(cases))))
    return cases


def simulate_challenge(folder: Path, scale: str, seed: int, test_head: str, processes: int) -> Path:
    """Write the challenge's folder; continue where an earlier call was interrupted.

    Beside the images: `truth`, label maps of the T2 images, and `simulation.json`, a record per case.

    Raises:
        InputError: unknown scale or head, a negative seed; the folder holds something else.
    """
    if scale not in SCALES:
        raise InputError(f"scale {scale!r}: expected one of {', '.join(SCALES)}")
    if seed < 0:
        raise InputError(f"seed {seed}: expected 0 or more")
    if folder.is_file():
        raise InputError(f"{folder}: is a file, expected a folder to write")
    if test_head not in HEADS:
        raise InputError(f"test head {test_head!r}: expected one of {', '.join(HEADS)}")
    description = ChallengeSimulation(scale, seed, test_head)
    _require_same_challenge(description, folder)
    cases = plan_challenge(scale, seed, test_head)
    with locked(folder):
        _require_same_challenge(description, folder)  # another process may have begun meanwhile
        write_json(asdict(description) | {"cases": [asdict(case) for case in cases]}, folder / RECORD)
        remove_half_written(folder)
        write_all(partial(write_challenge_case, folder=folder, seed=seed), cases, processes)
    return folder


def _require_same_challenge(description: ChallengeSimulation, folder: Path) -> None:
    record = folder / RECORD
    if record.is_file():
        found = read_json(record, ChallengeSimulation, "a description of a simulated download", "ignore")
        if found != description:
            raise InputError(f"{record}: found a simulation with {asdict(found)}, expected {asdict(description)}")
    elif not is_unused(folder):
        raise InputError(f"{folder}: is not empty and has no {RECORD}, expected an empty folder")


def write_challenge_case(case: ChallengeCase, folder: Path, seed: int) -> None:
    """Render a case and write its label map, then its image; a case whose image is there is left alone."""
    image_path = folder / FOLDERS[case.split] / f"{case.case}_{_kind(case.split)}.nii.gz"
    if image_path.exists():
        return
    label_path = image_path.with_name(f"{case.case}_Label.nii.gz")
    if case.split != "source":
        label_path = folder / TRUTH[case.split] / f"{case.case}.nii.gz"
    image, labels = render_challenge_case(case, seed)
    write_image(labels, label_path)
    write_image(image, image_path)


def render_challenge_case(case: ChallengeCase, seed: int) -> tuple[sitk.Image, sitk.Image]:
    """Image (int16) and label map (uint8) of a case, in its orientation."""
    anatomy = build_anatomy(sample_subject(seed, case.subject, case.head), Grid(case.size, case.spacing, FIELD_CENTRE))
    intensities = np.rint(scan_anatomy(anatomy, case.scan)).clip(0, np.iinfo(np.int16).max).astype(np.int16)
    return tuple(_oriented(volume_image(array, anatomy.grid), case) for array in (intensities, anatomy.labels))


def _plan_case(split: str, index: int, scale: ChallengeScale, seed: int, head: str) -> ChallengeCase:
    rng = np.random.default_rng([seed, index, 3])
    site = list(PROTOCOLS)[index % len(PROTOCOLS)]
    protocol = PROTOCOLS[site][_kind(split)]
    in_plane = max(rng.uniform(*protocol.in_plane), scale.smallest_voxel[0])
    slices = max(rng.uniform(*protocol.slices), scale.smallest_voxel[1])
    matrix = round(rng.uniform(*protocol.width) / in_plane / 2) * 2
    spacing = (round(in_plane, 4), round(in_plane, 4), round(slices, 4))
    orientation = "".join(rng.choice(AXIS_CODES[axis]) for axis in rng.permutation(3))
    tilt = rng.uniform(-TILT, TILT, 3).round(3) * (rng.random() < OBLIQUE_SHARE)
    return ChallengeCase(
        f"crossmoda2023_{site}_{index}", split, index, head, sample_scan(protocol.site, rng),
        (matrix, matrix, int(SLAB_HEIGHT / slices)), spacing, orientation, tuple(tilt.tolist()),
    )  # fmt: skip


def _kind(split: str) -> str:
    return "ceT1" if split == "source" else "T2"


def _oriented(image: sitk.Image, case: ChallengeCase) -> sitk.Image:
    image.SetDirection(Rotation.from_euler("xyz", case.tilt, degrees=True).as_matrix().ravel().tolist())
    return sitk.DICOMOrient(image, case.orientation)
