"""What a simulated dataset consists of: every case with its subject and its scan, before anything is rendered."""

from dataclasses import dataclass

import numpy as np

from intrastyler_nnunet.simulation.grid import Grid
from intrastyler_nnunet.simulation.sites import SITES, Scan, sample_scan
from intrastyler_nnunet.simulation.subject import Subject, sample_subject
from intrastyler_nnunet.typed_json import FileName

TRAINING_HEAD = "colin27"


@dataclass(frozen=True)
class Scale:
    """Size of a simulated dataset."""

    grid: Grid
    source: int  # number of labelled ceT1 cases
    target: int  # number of unlabelled T2 cases
    test: int  # number of labelled T2 test cases, over the seen and the unseen sites in equal numbers


SCALES: dict[str, Scale] = {
    "tiny": Scale(Grid((48, 40, 12), (2.0, 1.6, 2.0)), source=6, target=6, test=4),
    "small": Scale(Grid((96, 64, 16), (1.0, 1.0, 1.5)), source=40, target=45, test=32),
    # as "small", with enough cases that a discriminator cannot learn them by heart
    "pretraining": Scale(Grid((96, 64, 16), (1.0, 1.0, 1.5)), source=160, target=180, test=32),
    "full": Scale(Grid((256, 144, 32), (0.41015625, 0.41015625, 1.0)), source=60, target=75, test=32),
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
    site: str
    seen: bool  # whether the site has images in the source or target training set
    head: str
    subject: int  # index of the subject
    scan: Scan

    def sample_subject(self, seed: int) -> Subject:
        """The subject of this case in the dataset made with `seed`."""
        return sample_subject(seed, self.subject, self.head)


def sites_of(domain: str, *, seen_only: bool) -> list[str]:
    """Names of the sites of a domain."""
    return [name for name, site in SITES.items() if site.domain == domain and (site.seen or not seen_only)]


def plan_split(split: str, count: int, sites: list[str], seed: int, first_subject: int, head: str) -> list[Case]:
    """`count` cases, each of its own subject, at `sites` in turn."""
    prefix = "sim" if split == "source" else split
    cases = []
    for number in range(count):
        subject, site = first_subject + number, sites[number % len(sites)]
        scan = sample_scan(site, np.random.default_rng([seed, subject, 1]))
        cases.append(Case(f"{prefix}_{number:03d}", split, site, SITES[site].seen, head, subject, scan))
    return cases


def plan_paired(source: list[Case], sites: list[str], seed: int) -> list[Case]:
    """Every source subject in a protocol of each of `sites`."""
    return [
        Case(
            f"{case.case}_{site}",
            "paired",
            site,
            SITES[site].seen,
            case.head,
            case.subject,
            sample_scan(site, np.random.default_rng([seed, case.subject, 2, number])),
        )
        for case in source
        for number, site in enumerate(sites)
    ]


def plan_dataset(scale: str, seed: int, *, paired: bool, test_head: str) -> list[Case]:
    """All cases of a dataset. No subject is in two splits, "paired" apart."""
    size = SCALES[scale]
    target_sites = sites_of("target", seen_only=True)
    source = plan_split("source", size.source, sites_of("source", seen_only=True), seed, 0, TRAINING_HEAD)
    target = plan_split("target", size.target, target_sites, seed, size.source, TRAINING_HEAD)
    test = plan_split(
        "test", size.test, sites_of("target", seen_only=False), seed, size.source + size.target, test_head
    )
    return [*source, *target, *test, *(plan_paired(source, target_sites, seed) if paired else [])]
