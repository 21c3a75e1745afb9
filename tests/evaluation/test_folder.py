"""Folders of label maps, scored through files."""

import json

import numpy as np
import pytest
import SimpleITK
from medpy.metric import binary as medpy
from scipy.ndimage import binary_erosion
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from intrastyler_nnunet.evaluation.folder import evaluate_folder
from intrastyler_nnunet.evaluation.table import format_table
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
    assert summary["structures"]["cochlea"] == {"dice": 0.5, "assd": 175.0, "penalised": 1}
    assert summary["structures"]["intra_meatal"] == {"dice": 1.0, "assd": 0.0, "penalised": 0}
    header, _, found, missed, _, mean, mean_dice = format_table(summary).splitlines()
    assert header.split()[:3] == ["case", "extra_meatal", "Dice"]
    assert found.split()[-3:] == ["1.0000", "0.000", "0.000"]
    assert missed.split()[-3:] == ["0.0000", "350.000*", "0.000"]
    assert mean.split()[-3:] == ["0.5000", "175.000*", "0.000"]
    assert mean_dice == "mean Dice 0.8333"


def test_labels_come_from_the_dataset_json_given_or_beside_the_references(tmp_path):
    references = tmp_path / "labelsTs"
    references.mkdir()
    assert find_labels(references) == CROSSMODA_LABELS
    beside, given = tmp_path / "dataset.json", tmp_path / "other.json"
    beside.write_text(json.dumps({"labels": {"background": 0, "VS": 1, "cochlea": 2}}))
    given.write_text(json.dumps({"labels": {"background": 0, "tumour": [1, 2]}}))
    assert find_labels(references) == {"VS": 1, "cochlea": 2}
    assert find_labels(references, given) == {"tumour": (1, 2)}
