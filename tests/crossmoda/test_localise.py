"""Finding the cochleae, against the simulation's truth."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK
from scipy.ndimage import center_of_mass, label

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.crossmoda.localise import BALL_RADIUS, draw_balls, find_cochleae
from intrastyler_nnunet.crossmoda.region import Region
from intrastyler_nnunet.simulation.challenge import plan_challenge, render_challenge_case, write_challenge_case
from intrastyler_nnunet.simulation.patient import COCHLEA

SEED = 5


def centres(labels: SimpleITK.Image, value: int) -> np.ndarray:
    """Centres (n, 3), mm, of the components of a label, by x."""
    components, count = label(SimpleITK.GetArrayFromImage(labels) == value, np.ones((3, 3, 3)))
    indices = center_of_mass(components > 0, components, range(1, count + 1))
    points = [labels.TransformContinuousIndexToPhysicalPoint([float(i) for i in index[::-1]]) for index in indices]
    return np.array(sorted(points))


@pytest.mark.parametrize("head", ["colin27", "mni2009c"])
@pytest.mark.parametrize("number", [0, 1, 2])  # of three protocols
def test_registration_finds_both_cochleae(head, number):
    planned = [case for case in plan_challenge("tiny", SEED) if case.split == "target"][number]
    image, truth = render_challenge_case(replace(planned, head=head, tilt=(9.0, -7.0, 11.0)), SEED)
    finding = find_cochleae(image, None, "case")
    assert finding.route == "registration"
    distances = np.linalg.norm(np.array(sorted(finding.cochleae)) - centres(truth, COCHLEA), axis=1)
    assert distances.max() < Region.margin[0] - BALL_RADIUS  # so the region holds them


@pytest.mark.parametrize("tilt", [(0.0, 0.0, 0.0), (14.0, -9.0, 5.0)])
def test_balls_are_where_they_were_asked_for_with_their_volume(tilt):
    case = next(case for case in plan_challenge("tiny", SEED) if case.split == "target")
    image, _ = render_challenge_case(replace(case, tilt=tilt, orientation="SRA"), SEED)
    image = SimpleITK.Resample(
        image, [100, 40, 60], SimpleITK.Transform(), SimpleITK.sitkLinear, image.GetOrigin(), (1.0, 2.0, 1.0),
        image.GetDirection(),
    )  # fmt: skip
    places = [list(image.TransformIndexToPhysicalPoint(index)) for index in ((30, 20, 20), (80, 20, 40))]
    balls = draw_balls(places, image)
    assert np.allclose(centres(balls, 1), sorted(places), atol=0.1)
    volume = SimpleITK.GetArrayFromImage(balls).sum() * 2.0
    assert abs(volume / (2 * 4 / 3 * np.pi * BALL_RADIUS**3) - 1) < 0.1


def test_a_thick_slice_still_gets_its_ball():
    image = SimpleITK.Image([40, 40, 4], SimpleITK.sitkInt16)
    image.SetSpacing((1.0, 1.0, 20.0))
    assert SimpleITK.GetArrayFromImage(draw_balls([[10.0, 10.0, 29.0]], image)).sum() >= 1


def prediction(offset: float, radius: float) -> SimpleITK.Image:
    """A network's label map with balls at x = 0 and x = offset."""
    image = SimpleITK.Image([130, 30, 30], SimpleITK.sitkUInt8)
    x, y, z = np.ogrid[:130, :30, :30]
    balls = [((x - at) ** 2 + (y - 15) ** 2 + (z - 15) ** 2) <= radius**2 for at in (20, 20 + offset)]
    array = np.logical_or.reduce(np.broadcast_arrays(*balls)).astype(np.uint8)
    labels = SimpleITK.GetImageFromArray(array.transpose(2, 1, 0))
    labels.CopyInformation(image)
    return labels


def test_a_plausible_prediction_is_believed():
    nothing = SimpleITK.Image([20, 20, 20], SimpleITK.sitkInt16)
    finding = find_cochleae(nothing, prediction(70, 2.5), "case")
    assert finding.route == "network"
    assert np.allclose(sorted(finding.cochleae), [[20, 15, 15], [90, 15, 15]])


@pytest.mark.parametrize(
    ("offset", "radius", "reason"),
    [(40, 2.5, "40 mm apart"), (70, 1.0, "a cochlea of 7 mm3"), (0, 2.5, "1 of 2 cochleae")],
)
def test_an_implausible_prediction_is_not_and_the_report_says_why(offset, radius, reason):
    noise = SimpleITK.GetImageFromArray(np.random.default_rng(0).normal(size=(20, 50, 50)).astype(np.float32))
    noise.SetSpacing((3.0, 3.0, 3.0))
    finding = find_cochleae(noise, prediction(offset, radius), "case")
    assert finding.route == "unsure"
    assert finding.cochleae == []
    assert reason in finding.reasons[0]
    assert finding.reasons[1].startswith("registration: ")


def test_the_command_reports_every_case_and_drops_none(tmp_path, capsys):
    download, output = tmp_path / "download", tmp_path / "cochleae"
    targets = [case for case in plan_challenge("tiny", SEED) if case.split == "target"][:2]
    for case in targets:
        write_challenge_case(case, download, SEED)
    image = SimpleITK.ReadImage(str(next(download.rglob("*_T2.nii.gz"))))
    hidden = np.random.default_rng(0).integers(0, 99, image.GetSize()[::-1]).astype(np.int16)  # a scan of nothing
    noise = SimpleITK.GetImageFromArray(hidden)
    noise.CopyInformation(image)
    SimpleITK.WriteImage(noise, str(download / "crossmoda2023_ukm_99_T2.nii.gz"))
    main(["crossmoda", "localise", "-i", str(download), "-o", str(output), "-np", "1"])
    report = {entry["case"]: entry for entry in json.loads((output / "localisation.json").read_text())}
    assert report["crossmoda2023_ukm_99"]["route"] == "unsure"
    assert "crossmoda2023_ukm_99: unsure" in capsys.readouterr().out
    assert sorted(path.name for path in output.glob("*.nii.gz")) == sorted(f"{case.case}.nii.gz" for case in targets)
    assert set(report) == {case.case for case in targets} | {"crossmoda2023_ukm_99"}


def test_the_command_takes_a_networks_predictions(tmp_path, capsys):
    download, predictions = tmp_path / "download", tmp_path / "predictions"
    cases = [case for case in plan_challenge("tiny", SEED) if case.split == "target"][:2]
    for case in cases:
        write_challenge_case(case, download, SEED)
    name = cases[0].case
    truth = SimpleITK.ReadImage(str(download / "truth" / "target" / f"{name}.nii.gz"))
    predictions.mkdir()
    SimpleITK.WriteImage(truth == COCHLEA, str(predictions / f"{name}.nii.gz"))
    main(["crossmoda", "localise", "-i", str(download), "-o", str(tmp_path / "out"), "-np", "1",
          "--predictions", str(predictions)])  # fmt: skip
    report = {entry["case"]: entry for entry in json.loads((tmp_path / "out" / "localisation.json").read_text())}
    assert report[name]["route"] == "network"
    assert np.allclose(sorted(report[name]["cochleae"]), centres(truth, COCHLEA), atol=0.5)
    other = report[cases[1].case]
    assert other["route"] == "registration"
    assert other["reasons"] == ["network: no prediction"]


def test_a_prediction_that_does_not_lie_on_its_image_is_refused(tmp_path, capsys):
    download, predictions = tmp_path / "download", tmp_path / "predictions"
    download.mkdir()
    predictions.mkdir()
    noise = np.random.default_rng(0).integers(0, 99, (30, 30, 130)).astype(np.int16)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise), str(download / "crossmoda2023_ukm_99_T2.nii.gz"))
    shifted = prediction(70, 2.5)
    shifted.SetOrigin((0.0, 0.0, 3.0))
    SimpleITK.WriteImage(shifted, str(predictions / "crossmoda2023_ukm_99.nii.gz"))
    with pytest.raises(SystemExit) as stop:
        main(["crossmoda", "localise", "-i", str(download), "-o", str(tmp_path / "out"), "-np", "1",
              "--predictions", str(predictions)])  # fmt: skip
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert "crossmoda2023_ukm_99.nii.gz: found origin (0.0, 0.0, 3.0), expected (0.0, 0.0, 0.0), that of" in error
    assert list((tmp_path / "out").glob("*.nii.gz")) == []


@pytest.mark.parametrize(
    ("options", "expected"), [(("-np", "0"), "-np: found 0"), (("--predictions", "nowhere"), "nowhere: no such folder")]
)
def test_bad_options_are_refused(tmp_path, capsys, options, expected):
    image = SimpleITK.Image([4, 4, 4], SimpleITK.sitkUInt8)
    SimpleITK.WriteImage(image, str(tmp_path / "crossmoda2023_etz_1_T2.nii.gz"))
    with pytest.raises(SystemExit) as stop:
        main(["crossmoda", "localise", "-i", str(tmp_path), "-o", str(tmp_path / "out"), *options])
    assert stop.value.code == 2
    assert expected in capsys.readouterr().err


def test_an_image_that_cannot_be_searched_is_named_and_the_others_are_done(tmp_path, capsys):
    case = next(case for case in plan_challenge("tiny", SEED) if case.split == "target")
    write_challenge_case(case, tmp_path / "download", SEED)
    series = SimpleITK.JoinSeries([SimpleITK.Image([8, 8, 8], SimpleITK.sitkInt16)] * 2)
    SimpleITK.WriteImage(series, str(tmp_path / "download" / "crossmoda2023_etz_98_T2.nii.gz"))
    with pytest.raises(SystemExit) as stop:
        main(["crossmoda", "localise", "-i", str(tmp_path / "download"), "-o", str(tmp_path / "out"), "-np", "1"])
    assert stop.value.code == 2
    assert "crossmoda2023_etz_98_T2.nii.gz: found 4 dimensions" in capsys.readouterr().err
    assert (tmp_path / "out" / f"{case.case}.nii.gz").is_file()
    assert (tmp_path / "out" / "localisation.json").is_file()


def test_few_slices_are_unsure_and_no_error():
    image = SimpleITK.GetImageFromArray(np.random.default_rng(0).normal(size=(3, 40, 40)).astype(np.float32))
    assert find_cochleae(image, None, "case").route == "unsure"
