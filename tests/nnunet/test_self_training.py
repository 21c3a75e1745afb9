"""Pseudo-labelled target cases among the training cases of a real, tiny dataset."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK
import torch
from tiny_dataset import CONFIGURATION

from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.target.case import TargetCase, preprocess
from intrastyler_nnunet.nnunet.trainer import TRAINING_NOISE


@pytest.fixture
def case_list(own_dataset, tmp_path):
    """Pseudo-labels of two target cases, preprocessed, and their list; the first weighs as much as three."""
    plans = folders.read_plans(998)
    folder = folders.pseudo_label_folder(998, plans, CONFIGURATION)
    folder.mkdir()
    for number in range(2):
        image = own_dataset.raw / "imagesTarget" / f"target_{number}_0000.nii.gz"
        labels = own_dataset.raw / "labelsTr" / f"source_{number}.nii.gz"  # of the same grid; any will do
        preprocess(TargetCase(
            f"target_{number}", image, folder, plans, plans.get_configuration(CONFIGURATION),
            folders.read_dataset_json(998), labels,
        ))  # fmt: skip
    shutil.copy(folder / "target_0.b2nd", folder / "source_0.b2nd")
    path = tmp_path / "self_training.json"
    path.write_text(json.dumps({"cases": {"target_0": 3, "target_1": 1}}))
    return path


def test_cases_join_training_with_their_labels_and_weights(make_trainer, case_list, own_dataset):
    trainer = make_trainer(self_training=str(case_list))
    trainer.initialize()
    training, validation = trainer.get_tr_and_val_datasets()
    sources = [name for name in training.identifiers if name.startswith("source")]
    assert len(sources) == 4
    assert not any(name.startswith("target") for name in validation.identifiers)
    assert [training.identifiers.count(f"target_{number}") for number in range(2)] == [3, 1]
    labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(own_dataset.raw / "labelsTr" / "source_1.nii.gz")))
    _, loaded, _, _ = training.load_case("target_1")
    assert np.array_equal(np.maximum(loaded[0], 0), labels)


def test_loader_draws_by_weight_and_only_source_samples_are_translated(make_trainer, case_list):
    trainer = make_trainer(self_training=str(case_list))
    trainer.initialize()
    trainer.dataloader_train, _ = trainer.get_dataloaders()
    kept = changed = draws = targets = 0
    for _ in range(30):
        batch = next(trainer.dataloader_train)
        images, outside = batch["data"].nan_to_num(0), batch["data"].isnan()
        result = trainer._translated_to(images, outside, batch, trainer._draw(batch["keys"]), TRAINING_NOISE)
        for key, before, after in zip(batch["keys"], images, result, strict=True):
            draws, targets = draws + 1, targets + key.startswith("target")
            kept += key.startswith("target") and torch.equal(before, after)
            changed += key.startswith("source") and not torch.equal(before, after)
        trainer.iteration += 1
    assert kept == targets
    assert changed == draws - targets
    assert abs(targets / draws - 4 / 8) < 4 * np.sqrt(0.25 / draws)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"cases": {"target_9": 1}}', "target_9 is not in"),
        ('{"cases": {"target_0": 0.5}}', "cases.target_0 is 0.5, expected a whole number"),
        ('{"cases": {}}', "cases is {}, expected at least 1 item"),
        ('{"cases": {"source_0": 1}}', "source_0 is also a source case"),
        ('["target_0"]', 'found ["target_0"], expected a case list'),
        ("{", "expected a case list"),
        ('{"cases": {"../target_0": 1}}', 'found the name "../target_0" in cases'),
    ],
)
def test_a_bad_list_ends_with_one_line(make_trainer, case_list, capsys, content, expected):
    case_list.write_text(content)
    with pytest.raises(SystemExit) as stop:
        make_trainer(self_training=str(case_list)).initialize()
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert expected in error
    assert error.count("\n") == 1


def test_a_missing_list_ends_with_one_line(make_trainer, own_dataset, capsys):
    with pytest.raises(SystemExit):
        make_trainer(self_training="nowhere.json").initialize()
    assert "nowhere.json: No such file" in capsys.readouterr().err
