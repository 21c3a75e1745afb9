"""`intrastyler evaluate` on good and on bad input."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from intrastyler_nnunet.cli import main

SPACING = (0.5, 0.5, 1.5)
TURNED = (-1, 0, 0, 0, -1, 0, 0, 0, 1)


def write(path, labels, spacing=SPACING, origin=(0.0, 0.0, 0.0), direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)):
    image = SimpleITK.GetImageFromArray(labels)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))


def label_map(dtype=np.uint8):
    labels = np.zeros((6, 10, 10), dtype)
    labels[2:4, 2:5, 2:8], labels[2:4, 5:7, 2:8], labels[4, 7:9, 3:6] = 1, 2, 3
    return labels


@pytest.fixture
def folders(tmp_path):
    """Two perfect predictions."""
    for name in ("a", "b"):
        write(tmp_path / "gt" / f"{name}.nii.gz", label_map())
        write(tmp_path / "pred" / f"{name}.nii.gz", label_map())
    return tmp_path / "pred", tmp_path / "gt"


def evaluate(predictions: Path, references: Path, *options: object) -> None:
    main(["evaluate", "-p", str(predictions), "-g", str(references), "-np", "1", *map(str, options)])


def test_scores_are_printed_and_written(folders, tmp_path, capsys):
    predictions, references = folders
    evaluate(predictions, references, "-o", tmp_path / "new" / "summary.json")
    summary = json.loads((tmp_path / "new" / "summary.json").read_text())
    assert summary["mean_dice"] == 1
    assert summary["boundary"]["assd"] == 0
    assert summary["structures"]["cochlea"] == {"dice": 1, "assd": 0, "nsd": 1, "hd95": 0, "penalised": 0}
    assert "mean Dice 1.0000" in capsys.readouterr().out
    evaluate(predictions, references)
    assert json.loads((predictions / "scores.json").read_text()) == summary


def test_the_definition_of_assd_can_be_chosen(folders):
    predictions, references = folders
    labels = label_map()
    labels[labels == 3] = 0
    labels[4, 7, 3] = 3
    write(predictions / "a.nii.gz", labels)
    # Reference: a row of 3 voxels of 0.5 mm, twice; prediction: its first voxel.
    distances = [0, 0.5, 1, 0.5, np.hypot(0.5, 0.5), np.hypot(0.5, 1)]
    for definition, expected in (("pooled", sum(distances) / 7), ("directed", sum(distances) / 6 / 2)):
        evaluate(predictions, references, "--assd", definition)
        scores = json.loads((predictions / "scores.json").read_text())
        assert scores["assd_definition"] == definition
        assert scores["cases"]["a"]["structures"]["cochlea"]["assd"] == pytest.approx(expected)


def write_four_dimensions(path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4, 2), np.uint8), np.eye(4)), path)


FAULTS = {
    "shape": (lambda path: write(path, label_map()[:, :, :-1]), "found size (9, 10, 6), expected (10, 10, 6), that of"),
    "spacing": (lambda path: write(path, label_map(), spacing=(0.5, 0.5, 1.6)), "found spacing (0.5, 0.5, 1.6)"),
    "origin": (lambda path: write(path, label_map(), origin=(0, 0, 0.1)), "found origin (0.0, 0.0, 0.1)"),
    "direction": (lambda path: write(path, label_map(), direction=TURNED), "found direction (-1"),
    "label": (lambda path: write(path, label_map() * 2), "found label values 4, 6, expected only 0, 1"),
    "negative label": (lambda path: write(path, -label_map(np.int16)), "found label values -3, -2, -1"),
    "fraction": (lambda path: write(path, label_map(np.float32) / 2), "found the value 0.5, expected whole"),
    "not a number": (lambda path: write(path, label_map(np.float32) * np.nan), "NaN or infinite"),
    "dimensions": (write_four_dimensions, "found 4 dimensions"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-20]), "truncated"),
    "text": (lambda path: path.write_text("no image"), "damaged"),
    "missing": (lambda path: path.unlink(), "no label map for 1 of 2 cases (b)"),
}


MISMATCHES = ("shape", "spacing", "origin", "direction", "missing")  # always reported of the prediction


@pytest.mark.parametrize(
    ("folder", "fault"),
    [*(("pred", fault) for fault in FAULTS), *(("gt", fault) for fault in FAULTS if fault not in MISMATCHES)],
)
def test_a_bad_label_map_is_one_line_and_nothing_is_written(folders, tmp_path, capfd, folder, fault):
    spoil, message = FAULTS[fault]
    spoil(tmp_path / folder / "b.nii.gz")
    with pytest.raises(SystemExit) as exit_status:
        evaluate(*folders, "-o", tmp_path / "summary.json")
    assert_one_line(exit_status, capfd, message)
    assert not (tmp_path / "summary.json").exists()


def assert_one_line(exit_status, capfd, message):
    printed = capfd.readouterr()
    assert exit_status.value.code == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert message in printed.err


@pytest.mark.parametrize("folder", ["pred", "gt"])
@pytest.mark.parametrize("fault", ["missing", "empty"])
def test_folders_without_label_maps_are_named(folders, tmp_path, capfd, folder, fault):
    shutil.rmtree(tmp_path / folder)
    if fault == "empty":
        (tmp_path / folder).mkdir()
    with pytest.raises(SystemExit) as exit_status:
        evaluate(*folders, "-o", tmp_path / "summary.json")
    assert_one_line(exit_status, capfd, str(tmp_path / folder))
    assert not (tmp_path / "summary.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "found [], expected nnU-Net's dataset.json"),
        ('{"labels": {"background": 0, "cochlea": "three"}}', 'labels.cochlea is "three", expected a whole number'),
        ('{"labels": {"background": 0}}', "no label but background"),
        ('{"labels": {"background": 0, "cochlea": 1, "ignore": 2}}', "ignore"),
    ],
)
def test_an_unusable_dataset_json_is_named(folders, tmp_path, capfd, content, message):
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(SystemExit) as exit_status:
        evaluate(*folders)
    assert_one_line(exit_status, capfd, message)
    assert not (folders[0] / "scores.json").exists()


def test_a_missing_dataset_json_and_zero_processes_are_refused(folders, tmp_path, capfd):
    no_labels, no_processes = ("--dataset-json", tmp_path / "none.json"), ("-np", 0)
    for options, message in ((no_labels, "No such file"), (no_processes, "-np: found 0, expected")):
        with pytest.raises(SystemExit) as exit_status:
            evaluate(*folders, *options)
        assert_one_line(exit_status, capfd, message)


def test_an_output_that_cannot_be_written_keeps_the_table(folders, tmp_path, capfd):
    (tmp_path / "taken").mkdir()
    with pytest.raises(SystemExit) as exit_status:
        evaluate(*folders, "-o", tmp_path / "taken")
    assert exit_status.value.code == 2
    printed = capfd.readouterr()
    assert "mean Dice" in printed.out
    assert "taken: Is a directory" in printed.err
    assert list(tmp_path.glob(".writing*")) == []
