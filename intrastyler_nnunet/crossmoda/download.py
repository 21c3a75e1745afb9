"""The challenge's download: which files are there, of which edition."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import require_file
from intrastyler_nnunet.structures import LABELS

NAME = re.compile(
    r"(?P<case>crossmoda(?P<year>20\d\d)?_(?:(?P<site>[a-z]+)_)?\d+)_(?P<kind>ceT1|hrT2|T2|Label)\.nii\.gz"
)
EXPECTED = "expected files such as crossmoda2023_etz_1_ceT1.nii.gz, ..._Label.nii.gz and ..._T2.nii.gz"
UNKNOWN_SITE = "unknown"


@dataclass(frozen=True)
class Edition:
    """A year of the challenge."""

    year: int
    labels: dict[str, int]

    @property
    def cochlea(self) -> int:
        """Label value of the cochleae."""
        return self.labels["cochlea"]


EDITIONS = {year: Edition(year, labels) for year, labels in LABELS.items()}


@dataclass(frozen=True)
class DownloadedCase:
    """One image of the download."""

    case: str
    site: str
    split: str  # "source" (labelled ceT1), "target" (unlabelled T2) or "test" (T2 of the validation set)
    image: Path
    label: Path | None  # of a source image


def find_cases(download: Path) -> tuple[Edition, list[DownloadedCase]]:
    """All images below `download`; T2 images below a folder whose name has "valid" in it are the test set.

    Raises:
        InputError: no image of the challenge is there; editions are mixed; a case appears twice; a source image has
            no label map; a folder or a dangling link has an image's name.
    """
    files: dict[tuple[str, str], Path] = {}
    years = set()
    for path in sorted(_paths_below(download)):
        match = NAME.fullmatch(path.name)
        if match is None:
            continue
        require_file(path)
        kind = "T2" if match["kind"] == "hrT2" else match["kind"]
        if (match["case"], kind) in files:
            raise InputError(f"{path}: found a second time ({files[match['case'], kind]}), expected once")
        other = {"ceT1": "T2", "T2": "ceT1"}.get(kind)
        if (match["case"], other) in files:
            raise InputError(f"{path}: its case is also {files[match['case'], other]}, expected one image per case")
        files[match["case"], kind] = path
        # The edition of 2022 has names that begin with crossmoda2021_ldn and crossmoda2022_etz.
        years.add({None: 2021, "2023": 2023}.get(match["year"], 2022))
    if len(years) != 1:
        found = f"editions {sorted(years)}, expected one" if years else f"no file of the challenge, {EXPECTED}"
        raise InputError(f"{download}: found {found}")
    cases = [_case(case, path, files, download) for (case, kind), path in files.items() if kind != "Label"]
    if not cases:
        raise InputError(f"{download}: found label maps and no image, {EXPECTED}")
    return EDITIONS[years.pop()], sorted(cases, key=lambda case: (case.split, case.case))


def _paths_below(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Everything in `folder` and its folders, linked ones too, that is not hidden."""
    if folder.resolve() in above:  # a link back to where we came from
        return
    for path in folder.iterdir() if folder.is_dir() else ():
        if not path.name.startswith("."):
            yield path
            if path.is_dir():
                yield from _paths_below(path, (*above, folder.resolve()))


def _case(case: str, path: Path, files: dict[tuple[str, str], Path], download: Path) -> DownloadedCase:
    site = NAME.fullmatch(path.name)["site"] or UNKNOWN_SITE
    if path.name.endswith("_ceT1.nii.gz"):
        if (case, "Label") not in files:
            raise InputError(f"{path}: no label map beside it, expected {case}_Label.nii.gz")
        return DownloadedCase(case, site, "source", path, files[case, "Label"])
    folders = (download.resolve().name, *path.relative_to(download).parent.parts)
    validation = any("valid" in folder.lower() for folder in folders)
    return DownloadedCase(case, site, "test" if validation else "target", path, None)
