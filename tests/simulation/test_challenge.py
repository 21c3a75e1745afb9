"""The simulation as the challenge's own folder."""

from collections import Counter

import numpy as np
import pytest
import SimpleITK
from scipy.ndimage import center_of_mass

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.crossmoda.download import find_cases
from intrastyler_nnunet.simulation.challenge import (
    FIELD_CENTRE,
    FOLDERS,
    OBLIQUE_SHARE,
    plan_challenge,
    render_challenge_case,
    simulate_challenge,
    write_challenge_case,
)  # fmt: skip
from intrastyler_nnunet.simulation.grid import Grid
from intrastyler_nnunet.simulation.patient import COCHLEA, build_anatomy
from intrastyler_nnunet.simulation.subject import sample_subject

SEED = 3


@pytest.fixture(scope="module")
def cases():
    return plan_challenge("tiny", SEED)


def test_geometries_are_the_challenges():
    cases = plan_challenge("full", SEED)
    london = [case for case in cases if "_ldn_" in case.case and case.split == "target"]
    assert {case.size[0] for case in london} <= set(range(384, 450))
    assert {case.spacing[0] for case in london} == {0.5}
    tilburg = next(case for case in cases if "_etz_" in case.case and case.split == "source")
    assert tilburg.size[:2] == (256, 256)
    assert tilburg.spacing == (0.8, 0.8, 1.5)
    assert len({case.orientation for case in cases}) > 30  # of 48
    oblique = np.mean([any(case.tilt) for case in cases])
    assert abs(oblique - OBLIQUE_SHARE) < 0.15
    assert all(count == 1 for count in Counter(case.case for case in cases).values())


def test_pipeline_recognises_the_folder(cases, tmp_path):
    for split in FOLDERS:
        write_challenge_case(next(case for case in cases if case.split == split), tmp_path, SEED)
    edition, found = find_cases(tmp_path)
    assert edition.year == 2023
    assert sorted(case.split for case in found) == ["source", "target", "test"]
    assert sorted(path.name for path in (tmp_path / "truth").rglob("*.nii.gz")) == sorted(
        f"{case.case}.nii.gz" for case in found if case.split != "source"
    )


def test_orientation_and_tilt_are_in_the_header_and_change_no_voxel(cases):
    case = next(case for case in cases if any(case.tilt) and case.orientation != "LPS")
    image, labels = render_challenge_case(case, SEED)
    assert SimpleITK.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection()) == case.orientation
    array = SimpleITK.GetArrayFromImage(SimpleITK.DICOMOrient(labels, "LPS")).transpose(2, 1, 0)
    anatomy = build_anatomy(sample_subject(SEED, case.subject), Grid(case.size, case.spacing, FIELD_CENTRE))
    assert np.array_equal(array, anatomy.labels)
    # The patient's left cochlea is on the patient's left (+x in LPS).
    left = center_of_mass(array[case.size[0] // 2 :] == COCHLEA)
    index = (left[0] + case.size[0] // 2, *left[1:])
    assert SimpleITK.DICOMOrient(labels, "LPS").TransformContinuousIndexToPhysicalPoint(index)[0] > 20


def test_another_simulation_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "--as-crossmoda", str(tmp_path), "--scale", "tiny"])
    assert stop.value.code == 2
    assert "expected an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interrupted_simulation_goes_on_only_with_its_own_seed(tmp_path, monkeypatch):
    monkeypatch.setattr("intrastyler_nnunet.simulation.challenge.plan_challenge", lambda *_: [])
    simulate_challenge(tmp_path, "tiny", SEED, "colin27", 1)
    simulate_challenge(tmp_path, "tiny", SEED, "colin27", 1)
    with pytest.raises(ValueError, match="'seed': 3"):
        simulate_challenge(tmp_path, "tiny", SEED + 1, "colin27", 1)
