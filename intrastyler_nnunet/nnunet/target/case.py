"""One target image through nnU-Net's preprocessor: whole and up to date, or not there."""

import hashlib
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from batchgenerators.utilities.file_and_folder_operations import load_pickle, write_pickle
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from intrastyler_nnunet.files import folder_aside, named_errors
from intrastyler_nnunet.nnunet.folders import case_names

# Entries of a case's properties: a checksum of what it was made from, and the folder its image was in.
FINGERPRINT, ORIGIN = "intrastyler_fingerprint", "intrastyler_images"
ENDINGS = (".b2nd", "_seg.b2nd", ".pkl")  # of a case's files, the image first


@dataclass(frozen=True)
class TargetCase:
    """One target image and where its preprocessed files go."""

    name: str
    image: Path
    folder: Path
    plans: PlansManager
    configuration: ConfigurationManager
    dataset_json: dict
    labels: Path | None = None  # a pseudo-label
    origin: str = ""  # folder of the image: its name in the raw dataset, or its absolute path

    @property
    def preprocessed_image(self) -> Path:
        """Written last, so it is what makes the case look complete (`folders.case_names`)."""
        return self.folder / f"{self.name}.b2nd"


def preprocess(case: TargetCase) -> None:
    """Let nnU-Net's preprocessor write the case aside, then move it into place, the image last."""
    fingerprint = _fingerprint(case)
    case.preprocessed_image.unlink(missing_ok=True)
    with named_errors(case.preprocessed_image), folder_aside(case.folder) as aside:
        preprocessor = case.configuration.preprocessor_class(verbose=False)
        preprocessor.run_case_save(
            str(aside / case.name),
            [str(case.image)],
            str(case.labels) if case.labels else None,
            case.plans,
            case.configuration,
            case.dataset_json,
        )
        properties = aside / f"{case.name}.pkl"
        made_from = {FINGERPRINT: fingerprint, ORIGIN: case.origin}
        write_pickle(load_pickle(str(properties)) | made_from, str(properties))
        for ending in ENDINGS[::-1]:
            os.replace(aside / f"{case.name}{ending}", case.folder / f"{case.name}{ending}")


def is_up_to_date(case: TargetCase) -> bool:
    """Whether the case is complete and was made from this image with this preprocessing."""
    if not case.preprocessed_image.is_file():
        return False
    properties = _properties(case.folder, case.name)
    return properties.get(FINGERPRINT) == _fingerprint(case) and properties.get(ORIGIN, case.origin) == case.origin


def remove_orphans(folder: Path, names: Collection[str], origin: str) -> list[str]:
    """Remove the cases whose images were in the folder `origin` and are not any more: all but `names`.

    Cases of images in other folders stay; one without a record of it is taken for one of the raw dataset's. Returns
    the names of those removed.
    """
    gone = [name for name in case_names(folder) if name not in names]
    unknown = "" if os.path.isabs(origin) else origin
    orphans = [name for name in gone if _properties(folder, name).get(ORIGIN, unknown) == origin]
    for name in orphans:
        for ending in ENDINGS:
            (folder / f"{name}{ending}").unlink(missing_ok=True)
    return orphans


def _properties(folder: Path, name: str) -> dict:
    """What nnU-Net and `preprocess` noted of a case; nothing if that is lost or damaged."""
    try:
        return dict(load_pickle(str(folder / f"{name}.pkl")))
    except Exception:  # whatever a damaged pickle raises
        return {}


def _fingerprint(case: TargetCase) -> str:
    """Checksum of what a preprocessed case depends on: the image file and the plans' preprocessing."""
    plans, configuration = case.plans.plans, case.configuration.configuration
    preprocessing = {
        name: configuration.get(name)
        for name in sorted(configuration)
        if name in ("preprocessor_name", "spacing", "normalization_schemes", "use_mask_for_norm")
        or name.startswith("resampling_fn")
    }
    status = [path.stat() for path in (case.image, case.labels) if path is not None]
    content = [
        *((file.st_size, file.st_mtime_ns) for file in status),
        preprocessing,
        plans["transpose_forward"],
        plans["image_reader_writer"],
        case.plans.foreground_intensity_properties_per_channel,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
