"""A user's own data set: linked, so that nothing of it is changed."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import image_files
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.pretraining.competitors import read_subdomains

TEST_SET = "target test images"


@dataclass(frozen=True)
class OwnData:
    """A data set that nnU-Net and `intrastyler add-target` have preprocessed, and labelled test images."""

    dataset: str  # DatasetXXX_Name
    raw: Path
    preprocessed: Path
    tests: Path  # with imagesTs and labelsTs
    subdomain_pattern: str | None = None  # for MultiNets and Unified, unless the raw data set has a sites.json


def find_own_data(dataset: str, tests: Path, subdomain_pattern: str | None, with_subdomains: bool) -> OwnData:
    """Look it up in the folders that nnU-Net's variables name.

    Args:
        dataset: id or name.
        tests: folder with imagesTs and labelsTs.
        subdomain_pattern: as of `intrastyler pretrain`.
        with_subdomains: whether a method needs the sub-domain of every target case.

    Raises:
        InputError: no such data set; nothing preprocessed; a sub-domain that is needed and unknown; a test image
            without label map, a label map without image, or a test image that is a target case, too.
    """
    plans = folders.read_plans(dataset)
    targets = folders.case_names(folders.require_target(dataset, plans, "3d_fullres"))
    if with_subdomains:
        read_subdomains(dataset, targets, subdomain_pattern)
    _require_tests(tests, targets)
    raw, preprocessed = folders.raw_folder(dataset).absolute(), folders.preprocessed_folder(dataset).absolute()
    return OwnData(raw.name, raw, preprocessed, tests.absolute(), subdomain_pattern)


def _require_tests(tests: Path, targets: list[str]) -> None:
    images = {name.rpartition("_")[0] for name in image_files(tests / "imagesTs")}
    labels = set(image_files(tests / "labelsTs"))
    if images != labels or not images:
        one = min(images ^ labels, default="no image")
        raise InputError(f"{tests}: found {one}, expected an image in imagesTs and labels in labelsTs of each case")
    for name in sorted(images & set(targets)):
        raise InputError(f"{tests}: {name} is a target case, too, expected test images that no method is trained on")


def link(own_data: OwnData, raw: Path, preprocessed: Path) -> None:
    """Make `raw` and `preprocessed` of links to the user's folders and copies of the files beside them."""
    for origin, place in ((own_data.raw, raw), (own_data.preprocessed, preprocessed)):
        place.mkdir(parents=True, exist_ok=True)
        for path in origin.iterdir():
            link_path = place / path.name
            if path.is_file():
                shutil.copyfile(path, link_path)
            elif not link_path.exists():
                os.symlink(path, link_path)
