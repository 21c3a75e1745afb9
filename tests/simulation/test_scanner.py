"""Noise against Rayleigh's and Rice's moments; contrast of the sites; the same subject in two scans."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from intrastyler_nnunet.simulation.grid import Grid, smooth_field
from intrastyler_nnunet.simulation.patient import COCHLEA, EXTRA_MEATAL, INTRA_MEATAL, build_anatomy
from intrastyler_nnunet.simulation.plan import SCALES
from intrastyler_nnunet.simulation.protocols import RANGES, SCANNERS, Scan
from intrastyler_nnunet.simulation.scanner import (
    OFF_RESONANCE,
    OFF_RESONANCE_KNOTS,
    correlated_noise,
    point_spread,
    render,
    render_pair,
    rician,
    scan_anatomy,
    tissue_signals,
)
from intrastyler_nnunet.simulation.sites import sample_scan, scanners_of
from intrastyler_nnunet.simulation.subject import sample_subject
from intrastyler_nnunet.simulation.tissues import Tissue

GRID = SCALES["small"].grid
BRAIN = (Tissue.GREY_MATTER, Tissue.WHITE_MATTER)


def scan_of(site: str, seed: int = 0, scanner: str | None = None) -> Scan:
    return sample_scan(site, np.random.default_rng(seed), scanner)


@pytest.fixture(scope="module")
def anatomies():
    return [build_anatomy(sample_subject(31, index), GRID) for index in range(3)]


def test_noise_without_signal_is_rayleigh():
    noise = correlated_noise(scan_of("target_a"), Grid((96, 64, 32), (2.0, 2.0, 2.0)), np.random.default_rng(0))
    background = rician(np.zeros(noise.shape), noise, 5.0)
    assert background.mean() == pytest.approx(5 * np.sqrt(np.pi / 2), rel=0.01)
    assert background.std() == pytest.approx(5 * np.sqrt(2 - np.pi / 2), rel=0.01)


def test_noise_on_signal_is_rician():
    noise = correlated_noise(scan_of("target_a"), Grid((96, 64, 32), (2.0, 2.0, 2.0)), np.random.default_rng(1))
    image = rician(np.full(noise.shape, 7.0), noise, 2.0)
    assert np.mean(image**2) == pytest.approx(7**2 + 2 * 2**2, rel=0.01)  # second moment of Rice's distribution


def test_noise_is_as_coarse_as_the_resolution():
    scan = replace(scan_of("target_m"), in_plane=1.5, slice_thickness=3.0)
    noise = correlated_noise(scan, GRID, np.random.default_rng(2)).real

    def neighbours(axis: int) -> float:
        first, second = np.moveaxis(noise, axis, 0)[:-1].ravel(), np.moveaxis(noise, axis, 0)[1:].ravel()
        return np.corrcoef(first, second)[0, 1]

    sharp = correlated_noise(replace(scan, in_plane=0.5, slice_thickness=1.0), GRID, np.random.default_rng(2)).real
    assert neighbours(2) > 0.5 > neighbours(0) > 0.2
    assert abs(np.corrcoef(sharp[:-1].ravel(), sharp[1:].ravel())[0, 1]) < 0.02


def test_point_spread_has_the_width_of_the_resolution():
    scan = replace(scan_of("target_m"), in_plane=1.4, slice_thickness=2.5)
    fine = Grid((8, 8, 8), (0.1, 0.1, 0.1))
    for sigma, width in zip(point_spread(scan, fine), (1.4, 1.4, 2.5), strict=True):
        spread = gaussian_filter1d(np.eye(1, 201, 100)[0], sigma)
        measured = 0.1 * np.sum(spread >= spread.max() / 2)
        assert measured == pytest.approx(width, abs=0.11)


@pytest.mark.parametrize(("site", "scanner"), scanners_of("target", seen_only=False))
def test_fluid_is_bright_in_t2(anatomies, site, scanner):
    for number, anatomy in enumerate(anatomies):
        scan = replace(scan_of(site, number, scanner), off_resonance=0.0)  # a dark band may hide any tissue
        image = scan_anatomy(anatomy, scan)
        brain = image[np.isin(anatomy.tissue, BRAIN)].mean()
        assert image[anatomy.tissue == Tissue.CSF].mean() > 1.15 * brain
        assert image[anatomy.labels == COCHLEA].mean() > 2 * image[anatomy.tissue == Tissue.BONE_OR_AIR].mean()
        # Thick slices mix the cochlea with the bone around it; where they do not, its turns are brighter than brain.
        sharp = scan_anatomy(anatomy, replace(scan, in_plane=0.5, slice_thickness=0.5))
        assert np.percentile(sharp[anatomy.labels == COCHLEA], 75) > 1.05 * sharp[np.isin(anatomy.tissue, BRAIN)].mean()


@pytest.mark.parametrize(("site", "scanner"), scanners_of("source", seen_only=False))
def test_tumour_enhances_and_fluid_is_dark_in_contrast_enhanced_t1(anatomies, site, scanner):
    for number, anatomy in enumerate(anatomies):
        image = scan_anatomy(anatomy, scan_of(site, number, scanner))
        tumour = image[np.isin(anatomy.labels, (EXTRA_MEATAL, INTRA_MEATAL))].mean()
        brain = image[np.isin(anatomy.tissue, BRAIN)].mean()
        assert tumour > 1.2 * brain > 1.2 * image[anatomy.labels == COCHLEA].mean()


def test_scan_parameters_stay_in_the_ranges_of_the_scanner():
    for site, scanner in (*scanners_of("source", seen_only=False), *scanners_of("target", seen_only=False)):
        for seed in range(20):
            scan = scan_of(site, seed, scanner)
            assert (scan.site, scan.scanner) == (site, scanner)
            for parameter in RANGES:
                low, high = getattr(SCANNERS[scanner], parameter)
                assert low <= getattr(scan, parameter) <= high


def test_both_images_of_a_pair_show_the_same_anatomy():
    subject = sample_subject(31, 7)
    ideal = {"bias": 0.0, "snr": 1e6, "in_plane": 0.5, "slice_thickness": 0.5}
    source, target = (replace(scan_of(site), **ideal) for site in ("source_a", "target_a"))
    source_image, target_image, anatomy = render_pair(subject, source, target, GRID)
    np.testing.assert_array_equal(anatomy.labels, build_anatomy(subject, GRID).labels)
    # Deep in brain and CSF the two contrasts are opposite: where one image is bright the other is dark.
    head = np.isin(anatomy.tissue, (*BRAIN, Tissue.CSF)) & (anatomy.labels == 0)
    assert np.corrcoef(source_image[head], target_image[head])[0, 1] < -0.8


@pytest.mark.parametrize("scanner", ["a_balanced_15t", "m_balanced_low_flip_3t"])
def test_bands_lie_where_spins_turn_by_half_a_turn_between_pulses(anatomies, scanner):
    site = {"a": "target_a", "m": "target_m"}[scanner[0]]
    scan = replace(scan_of(site, 3, scanner), off_resonance=40.0, bias=0.0, snr=1e6, in_plane=0.5, slice_thickness=0.5)
    banded, even = (scan_anatomy(anatomies[0], replace(scan, off_resonance=hertz)) for hertz in (40.0, 0.0))
    hertz = 40.0 * smooth_field(GRID, OFF_RESONANCE_KNOTS, (scan.seed, OFF_RESONANCE))
    turns = np.abs(hertz) * scan.tr / 1000  # between pulses, of the magnetisation
    fluid = anatomies[0].tissue == Tissue.CSF
    ratio = banded[fluid] / even[fluid]
    assert np.median(ratio[turns[fluid] < 0.05]) == pytest.approx(1, abs=0.05)
    assert ratio[np.abs(turns[fluid] - 0.5) < 0.02].mean() < 0.35
    # Far from the band's middle, what one tissue shows is what the equation says of it.
    signals = tissue_signals(anatomies[0].subject, scan, precession=2 * np.pi * 0.3)
    expected = signals[Tissue.CSF] / tissue_signals(anatomies[0].subject, scan)[Tissue.CSF]
    assert np.median(ratio[np.abs(turns[fluid] - 0.3) < 0.01]) == pytest.approx(expected, rel=0.08)


def test_pulsation_darkens_csf_near_the_midline_alone(anatomies):
    scan = replace(scan_of("target_m", 0, "m_turbo_early_3t"), bias=0.0, snr=1e6, in_plane=0.5, slice_thickness=0.5)
    still, moving = (scan_anatomy(anatomies[0], replace(scan, pulsation=share)) for share in (0.0, 0.6))
    clouds = anatomies[0].tissue == Tissue.PULSATING_CSF
    assert np.mean(moving[clouds] / still[clouds]) < 0.75
    np.testing.assert_allclose(moving[anatomies[0].labels == COCHLEA], still[anatomies[0].labels == COCHLEA], rtol=1e-4)
    assert np.abs(np.argwhere(clouds)[:, 0] - (GRID.shape[0] - 1) / 2).max() * GRID.spacing[0] < 26


def test_a_scan_read_back_from_json_gives_the_same_image():
    subject, scan = sample_subject(31, 1), scan_of("target_b")
    grid = SCALES["tiny"].grid
    reloaded = Scan(**json.loads(json.dumps(asdict(scan))))
    np.testing.assert_array_equal(render(subject, scan, grid), render(subject, reloaded, grid))
