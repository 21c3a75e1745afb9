"""One target image through nnU-Net's preprocessor: whole and up to date, or not there."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from batchgenerators.utilities.file_and_folder_operations import load_pickle, write_pickle
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

FINGERPRINT = "intrastyler_fingerprint"  # entry of a case's properties: what it was made from
UNFINISHED = ".unfinished-"


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

    @property
    def preprocessed_image(self) -> Path:
        """Written last, so it is what makes the case look complete (`folders.case_names`)."""
        return self.folder / f"{self.name}.b2nd"


def preprocess(case: TargetCase) -> None:
    """Let nnU-Net's preprocessor write the case aside, then move it into place, the image last."""
    case.preprocessed_image.unlink(missing_ok=True)
    with TemporaryDirectory(prefix=UNFINISHED, dir=case.folder) as aside:
        preprocessor = case.configuration.preprocessor_class(verbose=False)
        preprocessor.run_case_save(
            str(Path(aside) / case.name),
            [str(case.image)],
            str(case.labels) if case.labels else None,
            case.plans,
            case.configuration,
            case.dataset_json,
        )
        properties = Path(aside) / f"{case.name}.pkl"
        write_pickle(load_pickle(str(properties)) | {FINGERPRINT: _fingerprint(case)}, str(properties))
        for ending in (".pkl", "_seg.b2nd", ".b2nd"):
            os.replace(Path(aside) / f"{case.name}{ending}", case.folder / f"{case.name}{ending}")


def is_up_to_date(case: TargetCase) -> bool:
    """Whether the case is complete and was made from this image with this preprocessing."""
    if not case.preprocessed_image.is_file():
        return False
    properties = load_pickle(str(case.folder / f"{case.name}.pkl"))
    return properties.get(FINGERPRINT) == _fingerprint(case)


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


def remove_unfinished(folder: Path) -> None:
    """Make the folder; clear what a killed run left in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(leftover)
