"""Folders of label maps, scored through files."""

import csv
import json

import numpy as np
import pytest
import SimpleITK
from medpy.metric import binary as medpy
from scipy.ndimage import binary_erosion
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.evaluation.folder import evaluate_folder
from intrastyler_nnunet.evaluation.sides import told_apart
from intrastyler_nnunet.evaluation.table import format_csv, format_table
from intrastyler_nnunet.grids import SamplingGrid
from intrastyler_nnunet.structures import CROSSMODA_LABELS, find_labels

SPACING = (0.41, 0.6, 1.5)  # x, y, z
OBLIQUE = Rotation.from_euler("xyz", (20, -15, 40), degrees=True).as_matrix().ravel().tolist()


def write_label_map(path, labels, direction=OBLIQUE):
    image = SimpleITK.GetImageFromArray(labels.astype(np.uint8))
    image.SetSpacing(SPACING)
    image.SetOrigin((-31.0, 12.5, 4.0))
    image.SetDirection(direction)
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))
    return image


def random_label_map(seed):
    labels = np.zeros((10, 16, 18), int)
    corners = np.random.default_rng(seed).integers(0, 8, (3, 3))
    for value, (z, y, x) in enumerate(corners // [4, 1, 1], 1):
        labels[z : z + 5, y : y + 8, x : x + 7] = value
    return labels


@pytest.fixture
def folders(tmp_path):
    """Three cases with oblique directions; predictions in another format, and one without a reference."""
    label_maps = {}
    for seed, case in enumerate(("a", "b", "c")):
        label_maps[case] = random_label_map(seed), random_label_map(seed + 50)
        write_label_map(tmp_path / "predictions" / f"{case}.mha", label_maps[case][0])
        write_label_map(tmp_path / "labelsTs" / f"{case}.nii.gz", label_maps[case][1])
    write_label_map(tmp_path / "predictions" / "unlabelled.nii.gz", random_label_map(9))
    return tmp_path / "predictions", tmp_path / "labelsTs", label_maps


def test_the_summary_holds_medpys_scores_and_their_means(folders):
    predictions, references, label_maps = folders
    summary = evaluate_folder(predictions, references, CROSSMODA_LABELS)
    assert list(summary["cases"]) == ["a", "b", "c"]
    means = []
    for name, value in CROSSMODA_LABELS.items():
        masks = [(predicted == value, true == value) for predicted, true in label_maps.values()]
        dice = [medpy.dc(*pair) for pair in masks]
        assd = [medpy.assd(*pair, SPACING[::-1]) for pair in masks]
        scores = [case["structures"][name] for case in summary["cases"].values()]
        np.testing.assert_allclose([score["dice"] for score in scores], dice)
        np.testing.assert_allclose([score["assd"] for score in scores], assd, rtol=1e-6)
        assert summary["structures"][name]["dice"] == pytest.approx(np.mean(dice))
        assert summary["structures"][name]["assd"] == pytest.approx(np.mean(assd))
        means.append(np.mean(dice))
    assert summary["mean_dice"] == pytest.approx(np.mean(means))
    boundary = [case["boundary"]["assd"] for case in summary["cases"].values()]
    assert summary["boundary"]["assd"] == pytest.approx(np.mean(boundary))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_distances_are_those_in_the_patient_for_an_oblique_image(folders):
    predictions, references, label_maps = folders
    image = SimpleITK.ReadImage(str(references / "a.nii.gz"))

    def surface_in_patient(mask):
        voxels = np.argwhere(mask & ~binary_erosion(mask))[:, ::-1].tolist()
        return np.array([image.TransformIndexToPhysicalPoint(voxel) for voxel in voxels])

    predicted, true = (surface_in_patient(labels == 3) for labels in label_maps["a"])
    distances = cdist(predicted, true)
    expected = np.concatenate([distances.min(axis=0), distances.min(axis=1)]).mean()
    summary = evaluate_folder(predictions, references, CROSSMODA_LABELS, cases=["a"])
    assert list(summary["cases"]) == ["a"]
    assert summary["structures"]["cochlea"]["assd"] == pytest.approx(expected, rel=1e-5)


def test_two_processes_score_as_one_does(folders):
    predictions, references, _ = folders
    alone = evaluate_folder(predictions, references, CROSSMODA_LABELS, processes=1)
    assert evaluate_folder(predictions, references, CROSSMODA_LABELS, processes=2) == alone


def test_penalties_are_counted_and_starred(tmp_path):
    reference = random_label_map(0)
    for case, prediction in (("found", reference), ("missed", np.where(reference == 3, 0, reference))):
        write_label_map(tmp_path / "gt" / f"{case}.nii.gz", reference)
        write_label_map(tmp_path / "predictions" / f"{case}.nii.gz", prediction)
    summary = evaluate_folder(tmp_path / "predictions", tmp_path / "gt", CROSSMODA_LABELS)
    assert summary["structures"]["cochlea"] == {
        "dice": 0.5, "assd": 175.0, "nsd": 0.5, "hd95": 175.0, "penalised": 1
    }  # fmt: skip
    assert summary["structures"]["intra_meatal"] == {
        "dice": 1.0, "assd": 0.0, "nsd": 1.0, "hd95": 0.0, "penalised": 0
    }  # fmt: skip
    header, _, found, missed, _, mean, mean_dice = format_table(summary).splitlines()
    assert header.split()[:3] == ["case", "extra_meatal", "Dice"]
    assert found.split()[-5:] == ["1.0000", "1.0000", "0.000", "0.000", "0.000"]
    assert missed.split()[-5:] == ["0.0000", "0.0000", "350.000*", "350.000*", "0.000"]
    assert mean.split()[-5:] == ["0.5000", "0.5000", "175.000*", "175.000*", "0.000"]
    assert mean_dice == "mean Dice 0.8333"
    rows = list(csv.DictReader(format_csv(summary).splitlines()))
    assert [(row["case"], row["structure"]) for row in rows] == [
        (case, name) for case in ("found", "missed") for name in (*CROSSMODA_LABELS, "boundary")
    ]
    assert rows[6] == {"case": "missed", "structure": "cochlea", "dice": "0.0", "nsd": "0.0", "assd": "350.0",
                       "hd95": "350.0", "penalised": "1"}  # fmt: skip
    assert (rows[7]["dice"], rows[7]["assd"]) == ("", "0.0")


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), (-1, 0, 0, 0, -1, 0, 0, 0, 1), OBLIQUE])
def test_each_side_is_scored_by_itself(tmp_path, direction):
    """The left side of the patient is where physical x (LPS) is larger, whatever the order of the voxels."""
    reference = np.zeros((10, 16, 40), int)
    reference[4:7, 6:9, 4:7], reference[4:7, 6:9, 32:36] = 3, 3
    reference[2:4, 2:4, 2:4] = 1
    prediction = reference.copy()
    prediction[4:7, 6:9, 32:36] = 0
    prediction[4:7, 6:9, 28:30] = 3  # on the same side, in the wrong place
    for folder, labels in (("gt", reference), ("predictions", prediction)):
        image = write_label_map(tmp_path / folder / "a.nii.gz", labels, direction)
    summary = evaluate_folder(tmp_path / "predictions", tmp_path / "gt", CROSSMODA_LABELS, sides_of=["cochlea"])
    low, high = (image.TransformIndexToPhysicalPoint((x, 8, 5))[0] for x in (5, 34))
    right, wrong = ("cochlea_right", "cochlea_left") if low < high else ("cochlea_left", "cochlea_right")
    assert summary["structures"][right]["dice"] == 1
    assert summary["structures"][wrong]["dice"] == 0
    assert 0 < summary["structures"][wrong]["assd"] < 5
    whole = evaluate_folder(tmp_path / "predictions", tmp_path / "gt", CROSSMODA_LABELS)
    assert summary["structures"]["cochlea"] == whole["structures"]["cochlea"]
    assert summary["mean_dice"] == whole["mean_dice"]


def test_an_only_cochlea_is_whole_on_its_side(tmp_path):
    reference = np.zeros((10, 16, 40), int)
    reference[4:7, 6:9, 17:23] = 3  # across the middle of the image, most of it on one side
    reference[4:7, 6:9, 16] = 3
    for folder in ("gt", "predictions"):
        write_label_map(tmp_path / folder / "a.nii.gz", reference, (1, 0, 0, 0, 1, 0, 0, 0, 1))
    case = evaluate_folder(tmp_path / "predictions", tmp_path / "gt", {"cochlea": 3}, sides_of=["cochlea"])
    arrays, labels = told_apart(reference, reference, {"cochlea": 3}, "cochlea", SamplingGrid.of(
        SimpleITK.ReadImage(str(tmp_path / "gt" / "a.nii.gz"))))  # fmt: skip
    counts = sorted(int(np.isin(arrays[0], labels[f"cochlea_{side}"]).sum()) for side in ("left", "right"))
    assert counts == [0, int((reference == 3).sum())]
    assert all(scores["dice"] == 1 for scores in case["structures"].values())


def test_sides_of_an_unknown_structure_are_refused(folders):
    with pytest.raises(InputError, match="sides of kidney: no such structure, expected some of extra_meatal"):
        evaluate_folder(*folders[:2], CROSSMODA_LABELS, sides_of=["kidney"])


def test_labels_come_from_the_dataset_json_given_or_beside_the_references(tmp_path):
    references = tmp_path / "labelsTs"
    references.mkdir()
    assert find_labels(references) == CROSSMODA_LABELS
    beside, given = tmp_path / "dataset.json", tmp_path / "other.json"
    beside.write_text(json.dumps({"labels": {"background": 0, "VS": 1, "cochlea": 2}}))
    given.write_text(json.dumps({"labels": {"background": 0, "tumour": [1, 2]}}))
    assert find_labels(references) == {"VS": 1, "cochlea": 2}
    assert find_labels(references, given) == {"tumour": (1, 2)}
