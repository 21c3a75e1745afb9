"""Sub-datasets and scanners: shares, turns, field strengths, and where the unseen scanners lie."""

import json
from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest
from scipy.spatial import Delaunay

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.simulation.plan import plan_dataset
from intrastyler_nnunet.simulation.protocols import SCANNERS
from intrastyler_nnunet.simulation.raw_dataset import SimulatedDataset, read_sites
from intrastyler_nnunet.simulation.scanner import tissue_signals
from intrastyler_nnunet.simulation.sites import SITES, in_turn, sample_scan, scanners_of, sites_by_share
from intrastyler_nnunet.simulation.subject import sample_subject
from intrastyler_nnunet.simulation.tissues import Tissue, tabulated_properties

SCANS = 60  # per scanner


def test_sub_datasets_take_turns_by_their_shares_and_so_do_their_scanners():
    turns = in_turn(sites_by_share("target"), 200)
    counts = Counter(turns)
    assert Counter(site for site, _ in turns[:10]) == {"target_a": 3, "target_b": 3, "target_m": 4}
    for site in ("target_a", "target_b", "target_m"):
        of_site = [counts[site, scanner] for scanner in SITES[site].scanners]
        assert max(of_site) - min(of_site) <= 1
    assert sum(counts.values()) == 200


def test_sub_datasets_are_mixtures_of_field_strengths_and_slices():
    names = [scanner for _, scanner in scanners_of("target", seen_only=True)]
    assert {SCANNERS[name].field_strength for name in names} == {1.0, 1.5, 3.0}
    slices = np.array([SCANNERS[name].slice_thickness for name in names])
    assert (slices.min(), slices.max()) == (0.78, 3.5)
    assert len(SITES["target_m"].scanners) == 5


def test_every_scanner_belongs_to_one_sub_dataset():
    listed = Counter(scanner for site in SITES.values() for scanner in site.scanners)
    assert listed == dict.fromkeys(SCANNERS, 1)


def test_relaxation_at_other_field_strengths_is_what_is_measured_there():
    factors = np.ones((len(Tissue), 4))
    at = {field: tabulated_properties(factors, field) for field in (1.0, 1.5, 3.0)}
    # Stanisz et al. (2005) at 1.5 T: 1124 +- 50 ms grey, 884 +- 50 ms white; Rooney et al. (2007): 1188 and 656 ms;
    # de Bazelaire et al. (2004): 343 +- 37 ms fat, 549 +- 52 ms marrow.
    assert 900 < at[1.5].t1[Tissue.GREY_MATTER] < 1190
    assert 600 < at[1.5].t1[Tissue.WHITE_MATTER] < 890
    assert at[1.5].t1[Tissue.FAT] == pytest.approx(343, abs=60)
    assert at[1.5].t1[Tissue.CSF] == at[3.0].t1[Tissue.CSF]
    for tissue in Tissue:
        t1 = [at[field].t1[tissue] for field in (1.0, 1.5, 3.0)]
        assert t1 == sorted(t1)
    assert at[1.5].t2[Tissue.BLOOD] > 1.5 * at[3.0].t2[Tissue.BLOOD]


def contrasts(scanners: list[tuple[str, str]]) -> np.ndarray:
    """Logarithms of the ratios of CSF and tumour to grey matter (n, 2), of `SCANS` scans of each scanner."""
    rows, subject = [], sample_subject(3, 0)
    for number, (site, scanner) in enumerate(scanners):
        for scan in range(SCANS):
            signals = tissue_signals(subject, sample_scan(site, np.random.default_rng([number, scan]), scanner))
            rows.append(np.log(signals[[Tissue.CSF, Tissue.TUMOUR]] / signals[Tissue.GREY_MATTER]))
    return np.array(rows)


def test_one_unseen_scanner_lies_within_the_seen_ones_and_the_other_beyond_them():
    hull = Delaunay(contrasts(scanners_of("target", seen_only=True)))
    within = hull.find_simplex(contrasts([("target_interpolation", "interpolation_turbo_3t")])) >= 0
    beyond = hull.find_simplex(contrasts([("target_extrapolation", "extrapolation_turbo_3t")])) < 0
    assert within.all()
    assert beyond.all()


def test_a_former_description_is_refused_in_one_line(tmp_path):
    cases = plan_dataset("tiny", 0, paired=False, test_head="colin27")
    description = asdict(SimulatedDataset("tiny", 0, False, "colin27", tuple(cases)))
    for case in description["cases"]:
        del case["scan"]["scanner"]
    (tmp_path / "sites.json").write_text(json.dumps(description))
    with pytest.raises(InputError, match="simulate the dataset anew"):
        read_sites(tmp_path / "sites.json")
