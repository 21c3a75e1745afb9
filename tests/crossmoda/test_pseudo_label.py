"""Which predictions become pseudo-labels."""

import json

import numpy as np
import pytest
import SimpleITK
from tiny_dataset import CONFIGURATION, SHAPE, write_image

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.crossmoda.pseudo_label import reasons_to_drop
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.structures import LABELS, Structures


def good_labels() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[6:9, 12:16, 14:18], labels[6:9, 12:16, 18:21] = 1, 2
    labels[6:8, 10:12, 8:10] = labels[6:8, 10:12, 30:32] = 3
    return labels


def changed(where: tuple, value: int) -> np.ndarray:
    labels = good_labels()
    labels[where] = value
    return labels


@pytest.mark.parametrize(
    ("labels", "reasons"),
    [
        (good_labels(), []),
        (changed(np.s_[1:3, 1:3, 1:3], 1), ["2 components of extra_meatal"]),
        (changed(np.s_[1:3, 1:3, 1:3], 2), ["2 components of intra_meatal"]),
        (changed(np.s_[6:8, 10:12, 30:32], 0), ["1 of 2 cochleae"]),
        (changed(np.s_[:, 12:16, 14:21], 0), ["no tumour"]),
        (changed(np.s_[:, 12:16, 14:18], 0), []),  # some tumours have no extra-meatal part
        (np.zeros(SHAPE, np.uint8), ["0 of 2 cochleae", "no tumour"]),
    ],
)
def test_the_winners_rules(labels, reasons):
    assert reasons_to_drop(labels, Structures.of(LABELS[2023])) == reasons


@pytest.fixture
def predictions(own_dataset, tmp_path):
    folder = tmp_path / "predictions"
    write_image(folder / "target_0.nii.gz", good_labels())
    write_image(folder / "target_1.nii.gz", np.zeros(SHAPE, np.uint8))
    write_image(folder / "target_2.nii.gz", good_labels())
    return folder


def run(predictions, tmp_path, *options: str) -> dict:
    output = tmp_path / "self_training.json"
    main(["crossmoda", "pseudo-label", "-i", str(predictions), "-o", str(output), "-d", "998",
          "-c", CONFIGURATION, *options])  # fmt: skip
    return json.loads(output.read_text())


def test_good_ones_are_preprocessed_and_the_rest_reported(predictions, tmp_path, own_dataset, capsys):
    coverage = tmp_path / "coverage.json"
    rows = [{"case": "target_2", "degrees": 41.5, "outside": True}, {"case": "target_0", "degrees": 3.0,
                                                                    "outside": False}]  # fmt: skip
    coverage.write_text(json.dumps({"limit_degrees": 20, "images": rows}))
    result = run(predictions, tmp_path, "--coverage", str(coverage))
    assert result["cases"] == {"target_0": 1}
    assert result["dropped"] == {
        "target_1": ["0 of 2 cochleae", "no tumour"],
        "target_2": ["style 41.5 degrees from the nearest exemplar"],
    }
    assert "target_1: dropped (0 of 2 cochleae; no tumour)" in capsys.readouterr().out
    folder = folders.pseudo_label_folder(998, folders.read_plans(998), CONFIGURATION)
    assert folders.case_names(folder) == ["target_0"]
    # Without the coverage the other one joins; the first is not made again.
    before = (folder / "target_0.b2nd").stat().st_mtime_ns
    assert run(predictions, tmp_path)["cases"] == {"target_0": 1, "target_2": 1}
    assert (folder / "target_0.b2nd").stat().st_mtime_ns == before
    # A new prediction of a case replaces the old one.
    write_image(predictions / "target_0.nii.gz", changed(np.s_[6:9, 12:16, 14:15], 0))
    run(predictions, tmp_path)
    assert (folder / "target_0.b2nd").stat().st_mtime_ns != before


def test_nothing_good_is_an_error_and_the_old_list_stays(predictions, tmp_path, capsys):
    (tmp_path / "self_training.json").write_text("old")
    for name in ("target_0", "target_2"):
        write_image(predictions / f"{name}.nii.gz", np.zeros(SHAPE, np.uint8))
    with pytest.raises(SystemExit) as stop:
        run(predictions, tmp_path)
    assert stop.value.code == 2
    assert "all 3 predictions are dropped" in capsys.readouterr().err
    assert (tmp_path / "self_training.json").read_text() == "old"


def test_a_prediction_of_an_unknown_image_is_refused(predictions, tmp_path, capsys):
    SimpleITK.WriteImage(SimpleITK.Image([4, 4, 4], SimpleITK.sitkUInt8), str(predictions / "stray.nii.gz"))
    with pytest.raises(SystemExit):
        run(predictions, tmp_path)
    assert "no image stray_0000 in" in capsys.readouterr().err


def test_a_prediction_on_another_grid_is_refused(predictions, tmp_path, capsys):
    write_image(predictions / "target_0.nii.gz", good_labels()[1:])
    with pytest.raises(SystemExit) as stop:
        run(predictions, tmp_path)
    assert stop.value.code == 2
    assert "target_0.nii.gz: found size" in capsys.readouterr().err


def test_images_from_elsewhere(predictions, tmp_path, own_dataset):
    for path in (own_dataset.raw / "imagesTarget").iterdir():
        path.rename(tmp_path / path.name)
    assert set(run(predictions, tmp_path, "--images", str(tmp_path))["cases"]) == {"target_0", "target_2"}
