"""A user's own data set: linked, so that nothing of it is changed."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet import folders

TEST_SET = "target test images"


@dataclass(frozen=True)
class OwnData:
    """A data set that nnU-Net and `intrastyler add-target` have preprocessed, and labelled test images."""

    dataset: str  # DatasetXXX_Name
    raw: Path
    preprocessed: Path
    tests: Path  # with imagesTs and labelsTs
    subdomain_pattern: str | None = None  # for MultiNets and Unified, unless the raw data set has a sites.json


def find_own_data(dataset: str, tests: Path, subdomain_pattern: str | None) -> OwnData:
    """Look it up in the folders that nnU-Net's variables name.

    Raises:
        InputError: no such data set, nothing preprocessed, or no imagesTs and labelsTs in `tests`.
    """
    for name in ("imagesTs", "labelsTs"):
        if not (tests / name).is_dir():
            raise InputError(f"{tests}: has no folder {name}, expected imagesTs and labelsTs with the test images")
    plans = folders.read_plans(dataset)
    folders.require_target(dataset, plans, "3d_fullres")
    raw, preprocessed = folders.raw_folder(dataset).absolute(), folders.preprocessed_folder(dataset).absolute()
    return OwnData(raw.name, raw, preprocessed, tests.absolute(), subdomain_pattern)


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
