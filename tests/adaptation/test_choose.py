"""`intrastyler choose` on the tiny dataset, by nnU-Net's own predictor."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK
import torch
from tiny_dataset import CONFIGURATION, tiny_generator

from intrastyler_nnunet.adaptation.candidates import jittered
from intrastyler_nnunet.cli import main
from intrastyler_nnunet.translation.windows import intensity_window


def command(dataset, *options) -> list[str]:
    given = ("-i", dataset.new_images, *options)
    return ["choose", "-d", "998", "-c", CONFIGURATION, "-device", "cpu", *map(str, given)]


@pytest.fixture
def three_models(trained):
    """The model, its copy, and one with other weights."""
    shutil.copytree(trained.model, trained.results / "copy")
    other = trained.results / "other"
    shutil.copytree(trained.model, other)
    path = other / "fold_0" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=False)
    generator = torch.Generator().manual_seed(0)
    for weights in content["network_weights"].values():
        weights += 0.3 * weights.std(correction=0) * torch.randn(weights.shape, generator=generator)
    torch.save(content, path)
    return trained


def test_the_odd_one_out_is_last_and_labels_decide_otherwise(three_models, tmp_path, capsys):
    dataset = three_models
    models = ("-m", dataset.model, dataset.results / "copy", dataset.results / "other" / "fold_0")
    main(command(dataset, *models, "-o", tmp_path / "choice.json"))
    result = json.loads((tmp_path / "choice.json").read_text())
    ranking = [row["model"] for row in result["models"]]
    assert ranking == [dataset.model.name, "copy", "other/fold_0"]
    best, copy, odd = result["models"]
    assert result["ranked_by"] == "agreement, stability, plausibility, coverage"
    assert best["agreement"] == copy["agreement"] > odd["agreement"]
    assert best["agreement"] == pytest.approx((1 + odd["agreement"]) / 2, abs=1e-3)  # a copy agrees in every voxel
    assert best["coverage"] == 1
    said = capsys.readouterr().out.splitlines()
    worst = result["cases"][0]
    assert f"label first: {worst['case']} ({worst['disagreement']})" in said[-1]

    # Labels that one of the models would draw: it is right in every voxel.
    labels = tmp_path / "labels"
    labels.mkdir()
    arguments = ("-i", str(dataset.new_images), "-o", str(labels), "-m", str(dataset.results / "other"), "-f", "0")
    predict(arguments)
    main(command(dataset, *models, "-l", labels, "-o", tmp_path / "choice.json"))
    result = json.loads((tmp_path / "choice.json").read_text())
    assert result["ranked_by"] == "Dice of the labelled cases"
    assert result["models"][0]["model"] == "other/fold_0"
    assert result["models"][0]["score"] == result["models"][0]["low"] == 1


def predict(arguments) -> None:
    """nnU-Net's predictor on a folder, one image after the other."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(options["-m"], (0,), "checkpoint_final.pth")
    predictor.predict_from_files_sequential(options["-i"], options["-o"])


def test_jitters_change_the_style_and_keep_the_window():
    image = np.random.default_rng(0).gamma(2, 100, (1, 8, 16, 20)).astype(np.float32)
    low, high = intensity_window(image[0])
    first, again, other = list(jittered(image, "a")), list(jittered(image, "a")), list(jittered(image, "b"))
    assert all(np.array_equal(x, y) for x, y in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])
    for version in first:
        assert version.shape == image.shape
        assert low - 1e-3 <= version.min()
        assert version.max() <= high + 1e-3
        assert 0.01 < np.abs(version - np.clip(image, low, high)).mean() / (high - low) < 0.2


def one_model(dataset):
    return ("-m", dataset.model)


def the_same_twice(dataset):
    return ("-m", dataset.model, dataset.model / ".." / dataset.model.name)


def no_model(dataset):
    return ("-m", dataset.model, dataset.raw)


def other_labels(dataset):
    path = dataset.results / "copy" / "dataset.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"labels": {"background": 0, "tumour": 1}}))
    return ("-m", dataset.model, dataset.results / "copy")


def other_generator(dataset):
    tiny_generator(seed=1).save(dataset.root / "other.safetensors")
    return ("-m", dataset.model, dataset.results / "copy", "-g", dataset.root / "other.safetensors")


def source_images(dataset):
    shutil.copy(dataset.raw / "imagesTr" / "source_0_0000.nii.gz", dataset.new_images / "new_0_0000.nii.gz")
    return ("-m", dataset.model, dataset.results / "copy")


def thick_slices(dataset):
    path = dataset.new_images / "new_1_0000.nii.gz"
    image = SimpleITK.ReadImage(str(path))
    image.SetSpacing((1.0, 1.0, 8.0))
    SimpleITK.WriteImage(image, str(path))
    return ("-m", dataset.model, dataset.results / "copy")


def no_images(dataset):
    return ("-m", dataset.model, dataset.results / "copy", "-i", dataset.root / "nowhere")


def labels_of_others(dataset):
    folder = dataset.root / "labels"
    folder.mkdir()
    shutil.copy(dataset.raw / "labelsTr" / "source_0.nii.gz", folder)
    return ("-m", dataset.model, dataset.results / "copy", "-l", folder)


def result_onto_a_checkpoint(dataset):
    path = dataset.model / "fold_0" / "checkpoint_final.pth"
    return ("-m", dataset.model, dataset.results / "copy", "-o", path)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (result_onto_a_checkpoint, "checkpoint_final.pth: is also the input"),
        (one_model, "1 model, expected two or more"),
        (the_same_twice, "is named twice"),
        (no_model, "Dataset998_Tiny: found no plans.json, expected a folder that nnUNetv2_train wrote"),
        (other_labels, "copy: has labels [1], expected [1, 2]"),
        (other_generator, "other.safetensors: is the generator of none of the models"),
        (source_images, "its style is 0.0 degrees from the source image source_0"),
        (thick_slices, "new_1_0000.nii.gz: voxels of 8 x 1 x 1 mm"),
        (no_images, "nowhere: no such folder; expected unlabelled target images"),
        (labels_of_others, "source_0.nii.gz: no image of this name"),
    ],
)
def test_what_cannot_be_chosen_from_is_told_in_one_line(trained, capsys, change, line):
    shutil.copytree(trained.model, trained.results / "copy")
    options = change(trained)
    with pytest.raises(SystemExit) as stopped:
        main(command(trained, *options))
    assert stopped.value.code == 2
    (said,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("intrastyler choose: ")]
    assert line in said
