"""The example of another anatomy: its data, its names, and (for minutes) all of its commands."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from intrastyler_nnunet.structures import find_labels

SCRIPT = Path(__file__).parents[1] / "docs" / "how-to" / "other_anatomy.py"


@pytest.fixture(scope="module")
def example():
    specification = importlib.util.spec_from_file_location("other_anatomy", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_case_has_a_cyst_and_a_stone_and_targets_have_another_contrast(example, tmp_path):
    example.write_data(tmp_path, seed=0)
    assert find_labels(tmp_path / "labelsTs") == {"cyst": 1, "stone": 2}
    assert not (tmp_path / "labelsTarget").exists()
    brighter = {}
    for images, labels, split in (("imagesTr", "labelsTr", "source"), ("imagesTs", "labelsTs", "test")):
        for case in range(example.CASES[split]):
            name = f"{split}_{case:02d}"
            image = SimpleITK.ReadImage(str(tmp_path / images / f"{name}_0000.nii.gz"))
            truth = SimpleITK.ReadImage(str(tmp_path / labels / f"{name}.nii.gz"))
            assert (image.GetSize(), image.GetSpacing()) == (truth.GetSize(), truth.GetSpacing())
            voxels, classes = SimpleITK.GetArrayFromImage(image), SimpleITK.GetArrayFromImage(truth)
            assert set(np.unique(classes)) == {0, 1, 2}
            brighter.setdefault(split, []).append(voxels[classes == 1].mean() > voxels[classes == 2].mean())
    assert not any(brighter["source"])
    assert all(brighter["test"])
    assert len(list((tmp_path / "imagesTarget").iterdir())) == example.CASES["target"]


def test_no_command_knows_of_cochleae(example, tmp_path):
    commands = " ".join(example.commands(tmp_path))
    assert "cochlea" not in commands + SCRIPT.read_text().lower()
    for name in ("plan_and_preprocess", "add-target", "pretrain", "nnUNetv2_train", "nnUNetv2_predict", "evaluate"):
        assert name in commands


@pytest.mark.matrix
def test_the_whole_example(tmp_path):
    finished = subprocess.run([sys.executable, str(SCRIPT), str(tmp_path / "kidneys")], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr[-3000:]
    scores = json.loads((tmp_path / "kidneys" / "predictions" / "scores.json").read_text())
    assert list(scores["structures"]) == ["cyst", "stone"]
    assert scores["structures"]["cyst"]["dice"] > 0.3
