"""Sites: the sub-datasets, each a mixture of scanners (the paper, section 2.5.1).

The sub-dataset of an image is all that MultiNets and Unified may know of its style. The scanner is kept apart from it,
for scoring: sub-datasets are coarser than styles, and styles of one sub-dataset occur in others.
"""

from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from intrastyler_nnunet.simulation.protocols import SCANNERS, Scan


@dataclass(frozen=True)
class SubDataset:
    """Images that were collected together."""

    domain: str  # "source" (ceT1) or "target" (T2)
    scanners: tuple[str, ...]  # keys of SCANNERS, with equal shares of its images
    share: int  # of the domain's images, relative to the other sub-datasets
    seen: bool = True  # False: it appears in the test set only


SITES: dict[str, SubDataset] = {
    "source_a": SubDataset("source", ("a_gradient_echo_3t", "a_gradient_echo_15t"), share=1),
    "source_b": SubDataset("source", ("b_spin_echo_15t", "b_spin_echo_1t"), share=1),
    "target_a": SubDataset("target", ("a_constructive_3t", "a_balanced_15t"), share=3),
    "target_b": SubDataset("target", ("b_turbo_15t", "b_turbo_3t"), share=3),
    "target_m": SubDataset(
        "target",
        (
            "m_constructive_15t",
            "m_turbo_thick_1t",
            "m_turbo_late_15t",
            "m_balanced_low_flip_3t",
            "m_turbo_early_3t",
        ),
        share=4,
    ),
    # Between seen scanners in every respect, and beyond all of them: no seen image is as heavily T2-weighted.
    "target_interpolation": SubDataset("target", ("interpolation_turbo_3t",), share=1, seen=False),
    "target_extrapolation": SubDataset("target", ("extrapolation_turbo_3t",), share=1, seen=False),
}


def sites_of(domain: str, *, seen_only: bool) -> list[str]:
    """Names of the sub-datasets of a domain."""
    return [name for name, site in SITES.items() if site.domain == domain and (site.seen or not seen_only)]


def scanners_of(domain: str, *, seen_only: bool) -> list[tuple[str, str]]:
    """Every scanner of a domain: its sub-dataset's name and its own."""
    sites = sites_of(domain, seen_only=seen_only)
    return [(site, scanner) for site in sites for scanner in SITES[site].scanners]


def sites_by_share(domain: str) -> list[str]:
    """The seen sub-datasets of a domain in a mixed order, each as often as its share says."""
    shares = {site: SITES[site].share for site in sites_of(domain, seen_only=True)}
    turns = [((turn + 0.5) / share, site) for site, share in shares.items() for turn in range(share)]
    return [site for _, site in sorted(turns)]


def in_turn(sites: list[str], count: int) -> list[tuple[str, str]]:
    """Sub-dataset and scanner of `count` images: `sites` take turns, and so do the scanners of each of them."""
    scanners = {site: cycle(SITES[site].scanners) for site in sites}
    return [(site, next(scanners[site])) for site in islice(cycle(sites), count)]


def sample_scan(site: str, rng: np.random.Generator, scanner: str | None = None) -> Scan:
    """Draw the parameters of one scan of a sub-dataset, uniformly from the ranges of its scanner.

    Args:
        site: key of SITES.
        rng: is drawn from.
        scanner: one of the sub-dataset's; None: one is drawn.
    """
    if scanner is None:
        scanner = str(rng.choice(SITES[site].scanners))
    return SCANNERS[scanner].sample(rng, site, scanner)
