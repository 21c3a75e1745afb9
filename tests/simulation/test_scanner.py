"""Noise against Rayleigh's and Rice's moments; contrast of the sites; the same subject in two scans."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from intrastyler_nnunet.simulation.grid import Grid
from intrastyler_nnunet.simulation.patient import COCHLEA, EXTRA_MEATAL, INTRA_MEATAL, build_anatomy
from intrastyler_nnunet.simulation.plan import SCALES
from intrastyler_nnunet.simulation.protocols import RANGES, SCANNERS, Scan
from intrastyler_nnunet.simulation.scanner import (
    correlated_noise,
    point_spread,
    render,
    render_pair,
    rician,
    scan_anatomy,
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
        image = scan_anatomy(anatomy, scan_of(site, number, scanner))
        brain = image[np.isin(anatomy.tissue, BRAIN)].mean()
        assert image[anatomy.tissue == Tissue.CSF].mean() > 1.3 * brain
        assert image[anatomy.labels == COCHLEA].mean() > 2 * image[anatomy.tissue == Tissue.BONE_OR_AIR].mean()
        # Thick slices mix the cochlea with the bone around it; where they do not, it is brighter than brain.
        sharp = scan_anatomy(anatomy, replace(scan_of(site, number, scanner), in_plane=0.5, slice_thickness=0.5))
        assert sharp[anatomy.labels == COCHLEA].mean() > 1.2 * sharp[np.isin(anatomy.tissue, BRAIN)].mean()


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


def test_a_scan_read_back_from_json_gives_the_same_image():
    subject, scan = sample_subject(31, 1), scan_of("target_b")
    grid = SCALES["tiny"].grid
    reloaded = Scan(**json.loads(json.dumps(asdict(scan))))
    np.testing.assert_array_equal(render(subject, scan, grid), render(subject, reloaded, grid))
