"""What a simulated dataset consists of: every case with its subject and its scan, before anything is rendered."""

from dataclasses import dataclass

import numpy as np

from intrastyler_nnunet.simulation.grid import Grid
from intrastyler_nnunet.simulation.protocols import Scan
from intrastyler_nnunet.simulation.sites import SITES, in_turn, sample_scan, sites_by_share, sites_of
from intrastyler_nnunet.simulation.subject import Subject, sample_subject
from intrastyler_nnunet.typed_json import FileName

TRAINING_HEADS = ("colin27", "colin27_mirrored")
OFF_CENTRE_SHARE = 0.12  # of the fields of view, which leave the head beside the tumour's ear
OFF_CENTRE = (34.0, 44.0)  # mm


@dataclass(frozen=True)
class Scale:
    """Size of a simulated dataset."""

    grid: Grid
    source: int  # number of labelled ceT1 cases
    target: int  # number of unlabelled T2 cases
    test: int  # number of labelled T2 test cases, over the seen and the unseen sub-datasets in equal numbers


SCALES: dict[str, Scale] = {
    "tiny": Scale(Grid((48, 40, 12), (2.0, 1.6, 2.0)), source=6, target=6, test=5),
    "small": Scale(Grid((96, 64, 16), (1.0, 1.0, 1.5)), source=40, target=50, test=40),
    # as "small", with enough cases that a discriminator cannot learn them by heart
    "pretraining": Scale(Grid((96, 64, 16), (1.0, 1.0, 1.5)), source=160, target=180, test=40),
    "full": Scale(Grid((256, 144, 32), (0.41015625, 0.41015625, 1.0)), source=60, target=75, test=40),
}

# Folders of images and labels, per split. "paired" are the source subjects once more, in target protocols.
FOLDERS: dict[str, tuple[str, str | None]] = {
    "source": ("imagesTr", "labelsTr"),
    "target": ("imagesTarget", None),
    "test": ("imagesTs", "labelsTs"),
    "paired": ("imagesTrPaired", None),
}


@dataclass(frozen=True)
class Case:
    """One image of a simulated dataset."""

    case: FileName  # nnU-Net's case identifier
    split: str  # "source", "target", "test" or "paired"
    site: str  # sub-dataset; the scanner is named by `scan`
    seen: bool  # whether the sub-dataset has images in the source or target training set
    head: str
    subject: int  # index of the subject
    centre: tuple[float, float, float]  # mm, MNI: of the field of view
    scan: Scan

    def sample_subject(self, seed: int) -> Subject:
        """The subject of this case in the dataset made with `seed`."""
        return sample_subject(seed, self.subject, self.head)


def head_of(heads: tuple[str, ...], seed: int, subject: int) -> str:
    """The head of a subject, drawn from `heads`."""
    return heads[int(np.random.default_rng([seed, subject, 4]).integers(len(heads)))]


def centre_of(subject: Subject, seed: int) -> tuple[float, float, float]:
    """The centre of the field of view of a subject's images (mm, MNI): as a rule amid the head.

    A few are far on the tumour's side and show the ear and the air beside it, and one cochlea only.
    """
    rng = np.random.default_rng([seed, subject.index, 5])
    x, y, z = Grid((1, 1, 1), (1.0, 1.0, 1.0)).centre
    if rng.random() < OFF_CENTRE_SHARE:
        x += subject.tumour.side * round(float(rng.uniform(*OFF_CENTRE)), 1)
    return (x, y, z)


def plan_split(
    split: str, count: int, sites: list[str], seed: int, first_subject: int, heads: tuple[str, ...]
) -> list[Case]:
    """`count` cases, each of its own subject, at `sites` in turn, and at the scanners of each site in turn."""
    prefix = "sim" if split == "source" else split
    cases = []
    for number, (site, scanner) in enumerate(in_turn(sites, count)):
        subject = first_subject + number
        head, scan = (
            head_of(heads, seed, subject),
            sample_scan(site, np.random.default_rng([seed, subject, 1]), scanner),
        )
        centre = centre_of(sample_subject(seed, subject, head), seed)
        cases.append(Case(f"{prefix}_{number:03d}", split, site, SITES[site].seen, head, subject, centre, scan))
    return cases


def plan_paired(source: list[Case], sites: list[str], seed: int) -> list[Case]:
    """Every source subject on a scanner of each of `sites`; from subject to subject, a site's scanners take turns."""
    cases = []
    for number, site in enumerate(sites):
        for case, (_, scanner) in zip(source, in_turn([site], len(source)), strict=True):
            scan = sample_scan(site, np.random.default_rng([seed, case.subject, 2, number]), scanner)
            name = f"{case.case}_{site}"
            cases.append(Case(name, "paired", site, SITES[site].seen, case.head, case.subject, case.centre, scan))
    return cases


def plan_dataset(scale: str, seed: int, *, paired: bool, test_head: str) -> list[Case]:
    """All cases of a dataset. No subject is in two splits, "paired" apart."""
    size = SCALES[scale]
    source = plan_split("source", size.source, sites_by_share("source"), seed, 0, TRAINING_HEADS)
    target = plan_split("target", size.target, sites_by_share("target"), seed, size.source, TRAINING_HEADS)
    test_sites = sites_of("target", seen_only=False)
    test = plan_split("test", size.test, test_sites, seed, size.source + size.target, (test_head,))
    target_sites = sites_of("target", seen_only=True)
    return [*source, *target, *test, *(plan_paired(source, target_sites, seed) if paired else [])]
