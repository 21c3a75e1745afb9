"""Sizes and places of the labelled structures against those measured in real label maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import kstest, uniform

from intrastyler_nnunet.simulation.painting import share
from intrastyler_nnunet.simulation.patient import COCHLEA, EXTRA_MEATAL, INTRA_MEATAL, Anatomy, build_anatomy
from intrastyler_nnunet.simulation.plan import SCALES
from intrastyler_nnunet.simulation.subject import Tumour, sample_subject
from intrastyler_nnunet.simulation.tissues import Tissue
from intrastyler_nnunet.simulation.tumour import PUSH, ROUNDING, before_push, rounded_minimum, shape_bulge

GRID = SCALES["small"].grid
SUBJECTS = [sample_subject(21, index) for index in range(12)]


@pytest.fixture(scope="module")
def anatomies() -> list[Anatomy]:
    return [build_anatomy(subject, GRID) for subject in SUBJECTS]


def components(mask: np.ndarray) -> list[np.ndarray]:
    """Voxel centres (n, 3), mm, of every connected component."""
    labels, count = ndimage.label(mask, np.ones((3, 3, 3)))
    return [np.argwhere(labels == number + 1) * GRID.spacing for number in range(count)]


def volume(points: np.ndarray) -> float:
    return len(points) * float(np.prod(GRID.spacing))


def test_two_cochleae_of_real_size_and_distance(anatomies):
    volumes, distances = [], []
    for anatomy in anatomies:
        cochleae = components(anatomy.labels == COCHLEA)
        assert len(cochleae) == 2
        volumes += [volume(points) for points in cochleae]
        distances.append(np.linalg.norm(cochleae[0].mean(0) - cochleae[1].mean(0)))
        for points in cochleae:
            assert np.all(np.ptp(points, axis=0) + GRID.spacing <= (8, 8, 9))
    # Real: 48-84 mm^3 and 68-71 mm in three patients; subjects may reach a little beyond three.
    assert min(volumes) > 40
    assert max(volumes) < 95
    assert 48 < np.mean(volumes) < 84
    assert min(distances) > 65
    assert max(distances) < 74
    assert 68 < np.mean(distances) < 71


def test_one_tumour_of_its_size_at_a_real_place(anatomies):
    for anatomy in [a for a in anatomies if a.subject.tumour.extra_meatal]:
        parts = components((anatomy.labels == EXTRA_MEATAL) | (anatomy.labels == INTRA_MEATAL))
        assert len(parts) == 1
        expected = anatomy.subject.tumour.bulge_volume
        bulge = np.sum(anatomy.labels == EXTRA_MEATAL) * np.prod(GRID.spacing)
        assert 0.75 * expected - 15 < bulge < 1.25 * expected + 60  # where small, most of it is the plug's end
        assert 20 < np.sum(anatomy.labels == INTRA_MEATAL) * np.prod(GRID.spacing) < 400
        cochleae = components(anatomy.labels == COCHLEA)
        same_side = min(np.linalg.norm(parts[0].mean(0) - points.mean(0)) for points in cochleae)
        assert 7 < same_side < 24


def test_tumours_of_all_grades_are_as_frequent_in_volume_on_a_logarithmic_scale():
    tumours = [sample_subject(5, number).tumour for number in range(1500)]
    in_canal = np.mean([not tumour.extra_meatal for tumour in tumours])
    assert in_canal == pytest.approx(1 / 7, abs=0.03)
    volumes = np.log([tumour.bulge_volume for tumour in tumours])
    assert kstest(volumes, uniform(np.log(60), np.log(6000 / 60)).cdf).pvalue > 0.01


def test_cysts_and_necrosis_lie_within_the_tumour_and_are_part_of_it():
    subject = next(s for s in (sample_subject(21, n) for n in range(80)) if fits_to_see_its_inside(s.tumour))
    anatomy = build_anatomy(subject, GRID)
    labelled = np.isin(anatomy.labels, (EXTRA_MEATAL, INTRA_MEATAL))
    for tissue in (Tissue.TUMOUR_CYST, Tissue.TUMOUR_NECROSIS):
        inside = anatomy.tissue == tissue
        assert inside.sum() > 5
        assert np.mean(labelled[inside]) > 0.9


def fits_to_see_its_inside(tumour: Tumour) -> bool:
    return tumour.extra_meatal and tumour.bulge_volume > 1500 and len(tumour.cysts) > 2 and tumour.necrosis > 0.5


def test_folia_run_through_the_cerebellum_and_vary_from_patient_to_patient(anatomies):
    y = GRID.axes()[1]
    slits = []
    for anatomy in anatomies[:2]:
        layer = next(layer for layer in anatomy.layers if layer.tissue == Tissue.CSF)
        filled = share(layer.index, layer.coverage, anatomy.fine, anatomy.factors)
        assert y[np.argwhere(filled > 0.2)[:, 1]].max() < -30
        slits.append(filled.ravel())
        line = filled[20:76, -12:].mean(axis=(0, 1))
        assert line.max() > 0
    assert np.corrcoef(slits)[0, 1] < 0.3


@given(first=st.floats(-20, 20), second=st.floats(-20, 20))
def test_a_rounded_minimum_is_below_the_minimum_by_no_more_than_a_quarter_of_its_width(first, second):
    rounded = float(rounded_minimum(np.array(first), np.array(second)))
    assert min(first, second) - ROUNDING / 4 - 1e-9 <= rounded <= min(first, second) + 1e-9


def test_some_tumours_stay_in_the_canal(anatomies):
    without = [a for a in anatomies if not a.subject.tumour.extra_meatal]
    assert without, "choose a seed with such a subject"
    for anatomy in without:
        assert not np.any(anatomy.labels == EXTRA_MEATAL)
        assert np.any(anatomy.labels == INTRA_MEATAL)


def test_tumour_lies_on_its_side(anatomies):
    right = GRID.axes()[0]
    for anatomy in anatomies:
        x = right[np.argwhere(np.isin(anatomy.labels, (EXTRA_MEATAL, INTRA_MEATAL)))[:, 0]]
        assert np.sign(x.mean()) == anatomy.subject.tumour.side
    assert {a.subject.tumour.side for a in anatomies} == {-1, 1}


def test_tissue_map_agrees_with_labels(anatomies):
    for anatomy in anatomies:
        tumour = np.isin(anatomy.labels, (EXTRA_MEATAL, INTRA_MEATAL))
        is_tumour_tissue = np.isin(anatomy.tissue, (Tissue.TUMOUR, Tissue.TUMOUR_CYST, Tissue.TUMOUR_NECROSIS))
        dice = 2 * np.sum(tumour & is_tumour_tissue) / (tumour.sum() + is_tumour_tissue.sum())
        assert dice > (0.95 if tumour.sum() > 600 else 0.85)  # few voxels, most at the surface
        assert np.mean(anatomy.tissue[anatomy.labels == COCHLEA] == Tissue.INNER_EAR_FLUID) > 0.7
        for tissue in (Tissue.CSF, Tissue.GREY_MATTER, Tissue.WHITE_MATTER, Tissue.BONE_OR_AIR):
            assert np.mean(anatomy.tissue == tissue) > 0.02


def test_the_grid_does_not_change_the_anatomy(anatomies):
    coarse = SCALES["tiny"].grid
    with_bulge = [a for a in anatomies if a.subject.tumour.extra_meatal]
    for anatomy in [a for a in with_bulge if a.subject.tumour.bulge_volume > 1000][:3]:
        labels = build_anatomy(anatomy.subject, coarse).labels
        tumour = np.sum(np.isin(labels, (EXTRA_MEATAL, INTRA_MEATAL))) * np.prod(coarse.spacing)
        expected = np.sum(np.isin(anatomy.labels, (EXTRA_MEATAL, INTRA_MEATAL))) * np.prod(GRID.spacing)
        assert tumour == pytest.approx(expected, rel=0.08)


def test_push_keeps_the_volume_of_the_displaced_tissue():
    bulge = shape_bulge(next(s.tumour for s in SUBJECTS if s.tumour.extra_meatal))
    direction = np.array([0.6, 0.0, 0.8])
    for radius in (bulge.radius, bulge.radius + 1e-3):
        before = before_push(bulge, (bulge.centre + radius * direction)[None])[0] - bulge.centre
        assert np.linalg.norm(before) ** 3 == pytest.approx(radius**3 - PUSH * bulge.radius**3, rel=1e-3)
        np.testing.assert_allclose(before / np.linalg.norm(before), direction, atol=1e-6)


def test_the_unseen_head_is_another_anatomy(anatomies):
    subject = sample_subject(21, 0, "mni2009c")
    other = build_anatomy(subject, GRID)
    assert np.mean(other.tissue == anatomies[0].tissue) < 0.9
    assert len(components(other.labels == COCHLEA)) == 2
