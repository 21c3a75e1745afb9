"""Post-processing, submission and ranking on small label maps."""

import json
import zipfile

import numpy as np
import pytest
import SimpleITK

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.crossmoda.postprocess import Change, Rules, postprocess
from intrastyler_nnunet.structures import LABELS, Structures

SHAPE = (8, 12, 14)
STRUCTURES = Structures.of(LABELS[2023])


def write(labels: np.ndarray, path, pixel_type=SimpleITK.sitkUInt8, spacing=(0.5, 0.5, 1.5)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.Cast(SimpleITK.GetImageFromArray(labels.astype(np.uint8)), pixel_type)
    image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, str(path))


def label_map() -> np.ndarray:
    """One tumour of both parts, a larger piece of one part, two cochleae and a speck."""
    labels = np.zeros(SHAPE, int)
    labels[1:3, 1:3, 1:3], labels[1:3, 1:3, 3] = 1, 2
    labels[5:8, 5:9, 5:9] = 1
    labels[1:3, 8:10, 1:3] = labels[1:3, 8:10, 11:13] = 3
    labels[6, 1, 1] = 3
    return labels


def test_one_tumour_with_both_parts_and_two_cochleae_stay():
    labels = label_map()
    expected = labels.copy()
    expected[5:8, 5:9, 5:9] = 0
    expected[6, 1, 1] = 0
    cleaned, changes = postprocess(labels, Rules(), STRUCTURES)
    np.testing.assert_array_equal(cleaned, expected)
    assert changes == [Change("tumour", 1, 48), Change("cochlea", 1, 1)]
    assert labels[6, 1, 1] == 3, "the input stays as it was"


@pytest.mark.parametrize(("rules", "removed"), [(Rules(one_tumour=False), {3}), (Rules(two_cochleae=False), {1})])
def test_each_rule_can_be_switched_off(rules, removed):
    labels = label_map()
    cleaned, _ = postprocess(labels, rules, STRUCTURES)
    assert set(np.unique(labels[cleaned != labels])) == removed


def test_of_tumours_with_one_part_the_largest_stays():
    labels = np.zeros(SHAPE, int)
    labels[1, 1, 1:3], labels[4:6, 4:6, 4:6] = 2, 1
    cleaned, _ = postprocess(labels, Rules(), STRUCTURES)
    np.testing.assert_array_equal(cleaned == 1, labels == 1)
    assert not (cleaned == 2).any()


def test_before_2023_the_cochlea_is_label_2_and_the_tumour_one_structure(tmp_path):
    labels = np.zeros(SHAPE, int)
    labels[1:3, 1:3, 1:3], labels[6, 6, 6] = 1, 1
    labels[4:6, 8:10, 1:3] = labels[4:6, 8:10, 11:13] = 2
    expected = labels.copy()
    expected[6, 6, 6] = 0
    write(labels, tmp_path / "in" / "case.nii.gz")
    main(["crossmoda", "postprocess", "-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--edition", "2022"])
    cleaned = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "out" / "case.nii.gz")))
    np.testing.assert_array_equal(cleaned, expected)


def test_an_empty_map_has_nothing_to_remove():
    assert postprocess(np.zeros(SHAPE, int), Rules(), STRUCTURES)[1] == []


def test_a_folder_is_cleaned_and_every_change_reported(tmp_path, capsys):
    write(label_map(), tmp_path / "in" / "a.nii.gz")
    main(["crossmoda", "postprocess", "-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--keep-all-tumours"])
    assert json.loads((tmp_path / "out" / "changes.json").read_text()) == {
        "a": [{"structure": "cochlea", "components": 1, "voxels": 1}]
    }
    assert "a: 1 components of cochlea (1 voxels)" in capsys.readouterr().out
    image = SimpleITK.ReadImage(str(tmp_path / "out" / "a.nii.gz"))
    assert image.GetSpacing() == (0.5, 0.5, 1.5)
    assert (SimpleITK.GetArrayFromImage(image) != label_map()).sum() == 1


@pytest.fixture
def submission(tmp_path):
    for case in ("a", "b"):
        write(np.arange(np.prod(SHAPE)).reshape(SHAPE) % 251, tmp_path / "images" / f"{case}_T2.nii.gz")
        write(label_map(), tmp_path / "labels" / f"{case}.nii.gz", SimpleITK.sitkInt16)
    return tmp_path


def submit(folder, *options) -> None:
    main(["crossmoda", "submit", "-i", str(folder / "labels"), "-r", str(folder / "images"),
          "-o", str(folder / "archive.zip"), *options])  # fmt: skip


def test_the_archive_holds_every_label_map_as_it_was(submission, capsys):
    submit(submission)
    with zipfile.ZipFile(submission / "archive.zip") as archive:
        assert sorted(archive.namelist()) == ["a_Label.nii.gz", "b_Label.nii.gz"]
        archive.extractall(submission / "unpacked")
    image = SimpleITK.ReadImage(str(submission / "unpacked" / "b_Label.nii.gz"))
    assert image.GetPixelID() == SimpleITK.sitkUInt8
    assert image.GetSpacing() == (0.5, 0.5, 1.5)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), label_map())
    assert "cochleae of 6 mm3, usual are 60 to 300" in capsys.readouterr().out  # 17 voxels of 0.375 mm3


def fault(folder, kind: str) -> None:
    path = folder / "labels" / "b.nii.gz"
    if kind == "missing":
        path.unlink()
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    elif kind == "label":
        write(label_map() + 7 * (label_map() == 3), path)
    elif kind == "shape":
        write(label_map()[:-1], path)
    elif kind == "spacing":
        write(label_map(), path, spacing=(0.5, 0.5, 1.6))
    elif kind == "float":
        write(label_map(), path, SimpleITK.sitkFloat32)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("missing", "no label map for b"), ("truncated", "truncated or damaged"), ("label", "found label values 10"),
        ("shape", "found size (14, 12, 7)"), ("spacing", "found spacing"), ("float", "found a floating-point image"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_and_the_previous_archive_stays(submission, capsys, kind, expected):
    submit(submission)
    before = (submission / "archive.zip").read_bytes()
    fault(submission, kind)
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        submit(submission)
    message = capsys.readouterr().err
    assert stopped.value.code == 2
    assert expected in message
    assert message.count("\n") == 1
    assert (submission / "archive.zip").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--pattern", "Label.nii.gz"), "pattern 'Label.nii.gz', expected"),
        (("--pattern", "x/{case}.nii.gz"), "pattern 'x/{case}.nii.gz', expected"),
        (("--suffix", "_T1"), "does not end in '_T1'"),
        (("--edition", "2022"), "found label values 3"),
    ],
)
def test_bad_options_are_refused(submission, capsys, options, expected):
    with pytest.raises(SystemExit) as stopped:
        submit(submission, *options)
    assert stopped.value.code == 2
    assert not (submission / "archive.zip").exists()
    assert expected in capsys.readouterr().err


def scores(values: dict[str, tuple[float, float]]) -> dict:
    """What `intrastyler evaluate` writes, for one structure; (Dice, ASSD) by case."""
    cases = {case: {"structures": {"cochlea": {"dice": dice, "assd": assd, "penalised": False}}, "boundary": None}
             for case, (dice, assd) in values.items()}  # fmt: skip
    return {"cases": cases, "structures": {"cochlea": {}}, "assd_definition": "pooled"}


def test_ranking_of_three_teams_with_ties(tmp_path, capsys):
    teams = {
        # case x: Dice ranks 1, 1, 3 and ASSD ranks 2, 1, 3; case y: Dice 3, 1, 1 and ASSD 1, 1, 1
        "one": {"x": (0.9, 0.5), "y": (0.1, 0.4)},
        "two": {"x": (0.9, 0.4), "y": (0.2, 0.4)},
        "three": {"x": (0.8, 0.6), "y": (0.2, 0.4)},
    }
    for team, values in teams.items():
        (tmp_path / f"{team}.json").write_text(json.dumps(scores(values)))
    main(["crossmoda", "rank", *(str(tmp_path / f"{team}.json") for team in teams)])
    assert capsys.readouterr().out.split() == ["1.000", "two", "1.750", "one", "2.000", "three"]


def test_teams_that_scored_other_cases_are_not_ranked(tmp_path, capsys):
    (tmp_path / "one.json").write_text(json.dumps(scores({"x": (0.9, 0.5)})))
    (tmp_path / "two.json").write_text(json.dumps(scores({"y": (0.9, 0.5)})))
    with pytest.raises(SystemExit) as stopped:
        main(["crossmoda", "rank", str(tmp_path / "one.json"), str(tmp_path / "two.json")])
    assert stopped.value.code == 2
    assert "other cases than" in capsys.readouterr().err
