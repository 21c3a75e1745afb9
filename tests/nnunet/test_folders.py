"""Folders of nnU-Net: what is returned, and one line on what is missing."""

import json
import shutil

import pytest
from tiny_dataset import CONFIGURATION, DATASET

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet import folders


@pytest.mark.parametrize("dataset", [998, "998", DATASET])
def test_a_dataset_is_found_by_id_and_name(own_dataset, dataset):
    plans = folders.read_plans(dataset)
    source = own_dataset.preprocessed / "nnUNetPlans_3d_fullres"
    assert folders.raw_folder(dataset) == own_dataset.raw
    assert folders.preprocessed_folder(dataset) == own_dataset.preprocessed
    assert folders.results_folder(dataset) == own_dataset.results
    assert folders.configuration_folder(dataset, plans, "3d_fullres") == source
    assert folders.target_folder(dataset, plans, CONFIGURATION) == source.with_name(source.name + "_target")
    assert folders.require_target(dataset, plans, CONFIGURATION).is_dir()
    assert folders.case_names(source) == [f"source_{i}" for i in range(5)]
    synthesizer = folders.synthesizer_folder(dataset, "nnUNetPlans", CONFIGURATION)
    assert synthesizer == own_dataset.results / f"IntraStyler__nnUNetPlans__{CONFIGURATION}"


def test_two_datasets_of_one_id(own_dataset):
    (own_dataset.raw.parent / "Dataset998_Other").mkdir()
    with pytest.raises(InputError, match="more than one dataset has the id 998"):
        folders.raw_folder(998)


def test_a_plans_file_that_is_not_one(own_dataset):
    for content in ("{", "[]", "{}"):
        (own_dataset.preprocessed / "badPlans.json").write_text(content)
        with pytest.raises(InputError, match=r"badPlans.json: .*expected an nnU-Net plans file"):
            folders.read_plans(998, "badPlans")


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"inherits_from": "none"}, "configuration bad: The configuration none does not exist"),
        ({"inherits_from": "bad"}, "configuration bad: Circular dependency"),
        ({"architecture": {}}, "configuration bad has no entry batch_size"),
        ({"patch_size": [1, 2, 3]}, "configuration bad: 'UNet_class_name'"),
    ],
)
def test_configurations_that_are_incomplete(own_dataset, configuration, message):
    path = own_dataset.preprocessed / "nnUNetPlans.json"
    plans = json.loads(path.read_text())
    path.write_text(json.dumps(plans | {"configurations": plans["configurations"] | {"bad": configuration}}))
    with pytest.raises(InputError, match=f"nnUNetPlans.json: {message}"):
        folders.read_configuration(folders.read_plans(998), "bad")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"file_ending": "/../x.nii.gz"}, 'file_ending is "/../x.nii.gz", expected a name'),
        ({"labels": ["tumour"]}, r'labels is \["tumour"\], expected an object'),
        ({"labels": {"tumour": -1}}, "labels.tumour is -1, expected 0 or more"),
        ({"channel_names": {"a": "T1"}}, 'found the name "a" in channel_names, expected the number of a channel'),
    ],
)
def test_a_dataset_json_that_is_none(own_dataset, entry, message):
    path = own_dataset.preprocessed / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entry))
    with pytest.raises(InputError, match=f"dataset.json: {message}"):
        folders.read_dataset_json(998)


def test_no_target(own_dataset):
    plans = folders.read_plans(998)
    shutil.rmtree(folders.target_folder(998, plans, CONFIGURATION))
    with pytest.raises(InputError, match=f"run intrastyler add-target -d 998 -c {CONFIGURATION} first"):
        folders.require_target(998, plans, CONFIGURATION)


@pytest.mark.parametrize("variable", ["nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"])
def test_unset_variable(own_dataset, monkeypatch, variable):
    find = {
        "nnUNet_raw": folders.raw_folder,
        "nnUNet_preprocessed": folders.preprocessed_folder,
        "nnUNet_results": folders.results_folder,
    }[variable]
    monkeypatch.setenv(variable, "")
    with pytest.raises(InputError, match=f"variable {variable} is not set"):
        find(DATASET)
