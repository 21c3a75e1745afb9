"""Every configuration and option of nnU-Net with the plug-in: a short training, then prediction without the plug-in.

A representative few run by default, all of them with

    python -m pytest tests/nnunet/test_matrix.py -m 'matrix or slow'
"""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dataset_variants import (
    LOWRES_SPACING,
    add_cascade,
    add_flat_configuration,
    add_residual_encoder,
    black_margin,
    ignore_label,
    images_to_predict,
    regions,
    second_channel,
    variant,
)
from plugin_commands import SHORT, TRAINER, losses, predict, segmentations, train, with_plugin, without_plugin
from tiny_dataset import CONFIGURATION, TinyDataset, run_command, tiny_generator

from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.target.case import TargetCase, preprocess
from intrastyler_nnunet.styles.bank import StyleBank

pytestmark = pytest.mark.slow
matrix = pytest.mark.matrix
CODES = {f"target_{number}": tuple(np.eye(3)[number]) for number in range(3)}


def generator_file(path: Path, seed: int = 0, **metadata) -> str:
    tiny_generator(seed, **metadata).save(path)
    return str(path)


def fold_folder(dataset: TinyDataset, trainer=TRAINER, plans="nnUNetPlans", configuration=CONFIGURATION, fold="0"):
    return dataset.results / f"{trainer}__{plans}__{configuration}" / f"fold_{fold}"


def check_training(fold: Path) -> None:
    """It learned from finite losses, was validated, and kept its settings."""
    assert np.isfinite(losses(fold)["train_losses"]).all()
    assert json.loads((fold / "validation" / "summary.json").read_text())["metric_per_case"]
    assert (fold / "intrastyler_settings.json").is_file()


def check_prediction(dataset: TinyDataset, root: Path, *options: str, **model) -> None:
    """A stock installation predicts a target image on its own grid."""
    images = images_to_predict(dataset, root / "images")
    predict(without_plugin(dataset, root), images, root / "predicted", *options, **model)
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(images / "target_0_0000.nii.gz")))
    assert segmentations(root / "predicted")["target_0"].shape == image.shape


def train_and_predict(dataset: TinyDataset, root: Path, settings: dict, *options: str, plans="nnUNetPlans",
                      variables: dict | None = None, **model) -> Path:  # fmt: skip
    """A training that begins, ends, and predicts; its folder."""
    basic = {"generator": generator_file(root / "generator.safetensors"), "exemplars": ["target_0"]}
    chosen = ("-p", plans)
    train(with_plugin(dataset, root) | (variables or {}), SHORT | basic | settings, *chosen, *options, **model)
    fold = fold_folder(dataset, plans=plans, **model)
    check_training(fold)
    check_prediction(dataset, root, *chosen, **model)
    return fold


SETTINGS = {
    "uniform": {},
    "slerp": {"p_slerp": 1.0},
    "balanced": {"policy": "balanced", "exemplars": ["target_0", "target_1"]},
    "mixture": {"policy": {"uniform": 1, "balanced": 2}, "p_slerp": 0.3},
    "given exemplars, best by worst style": {"exemplars": ["target_0", "target_2"], "best_style": "worst"},
    "source too": {"p_translate": 0.5},
    "micro-batches": {"translation_batch_size": 1},
    "compiled generator": {"compile_generator": True},
}
VARIANTS = ("Slerp", "Balanced", "NoTranslation", "Short", "Adam1en3", "_1epoch")
GENERATORS = {
    "ensemble": [{}, {"seed": 1}],
    "multinets": [{"method": "nodiverse", "codes": {name: (1.0,)}} for name in CODES],
    "unified": [{"method": "unified", "codes": CODES}],
    "nodiverse": [{"method": "nodiverse", "codes": dict.fromkeys(CODES, (1.0,))}],
    "label hint": [{"label_hint": LabelHint()}],
}


@matrix
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_settings(own_dataset, tmp_path, settings):
    fold = train_and_predict(own_dataset, tmp_path, settings)
    styles = json.loads((fold / "styles.jsonl").read_text().splitlines()[0])["dice"]
    assert ("source" in styles) == ("p_translate" in settings)


@matrix
@pytest.mark.parametrize("variant_name", VARIANTS)
def test_trainer_variants(own_dataset, tmp_path, variant_name):
    train_and_predict(own_dataset, tmp_path, {}, trainer=TRAINER + variant_name)


@matrix
@pytest.mark.parametrize("several", GENERATORS.values(), ids=GENERATORS)
def test_generators(own_dataset, tmp_path, several):
    files = [generator_file(tmp_path / f"{number}.safetensors", **m) for number, m in enumerate(several)]
    settings = {"generator": files if len(files) > 1 else files[0], "exemplars": list(CODES)[:2]}
    fold = train_and_predict(own_dataset, tmp_path, settings)
    resolved = json.loads((fold / "intrastyler_settings.json").read_text())
    assert resolved["generator"] == settings["generator"]


@matrix
@pytest.mark.parametrize("fold", ["1", "all"])
def test_folds(own_dataset, tmp_path, fold):
    train_and_predict(own_dataset, tmp_path, {}, fold=fold)


@matrix
def test_with_nnunets_compilation_asked_for(own_dataset, tmp_path):
    train_and_predict(own_dataset, tmp_path, {}, variables={"nnUNet_compile": "t"})  # a CPU ignores it


@matrix
def test_self_training(own_dataset, tmp_path):
    plans = folders.read_plans(998)
    folder = folders.pseudo_label_folder(998, plans, CONFIGURATION)
    folder.mkdir()
    image = own_dataset.raw / "imagesTarget" / "target_0_0000.nii.gz"
    labels = own_dataset.raw / "labelsTr" / "source_0.nii.gz"
    configuration = plans.get_configuration(CONFIGURATION)
    preprocess(TargetCase("target_0", image, folder, plans, configuration, folders.read_dataset_json(998), labels))
    (tmp_path / "cases.json").write_text('{"cases": {"target_0": 2}}')
    train_and_predict(own_dataset, tmp_path, {"self_training": str(tmp_path / "cases.json")})


@matrix
@pytest.mark.parametrize("change", [regions, ignore_label, black_margin])
def test_datasets(tiny_dataset, tmp_path, monkeypatch, change):
    TinyDataset(tmp_path / "nnunet").use(monkeypatch)
    dataset = variant(tiny_dataset, tmp_path / "nnunet", change)
    if change is black_margin:
        plans = json.loads((dataset.preprocessed / "nnUNetPlans.json").read_text())
        assert plans["configurations"]["3d_fullres"]["use_mask_for_norm"] == [True]
    train_and_predict(dataset, tmp_path, {})


@matrix
def test_residual_encoder_plans(own_dataset, tmp_path):
    train_and_predict(own_dataset, tmp_path, {}, plans=add_residual_encoder(own_dataset))


@matrix
def test_dummy_2d_augmentation(own_dataset, tmp_path):
    fold = train_and_predict(own_dataset, tmp_path, {}, configuration=add_flat_configuration(own_dataset))
    assert "do_dummy_2d_data_aug: True" in next(fold.glob("training_log_*.txt")).read_text()


@matrix
def test_2d_is_refused_but_for_its_baseline(own_dataset, tmp_path):
    run_command("nnUNetv2_preprocess", "-d", "998", "-c", "2d", "-np", "1", environment=own_dataset.environment)
    generator = generator_file(tmp_path / "generator.safetensors")
    environment = with_plugin(own_dataset, tmp_path)
    Path(environment["INTRASTYLER_SETTINGS"]).write_text(json.dumps({"generator": generator}))
    command = ("nnUNetv2_train", "998", "2d", "0", "-tr", TRAINER, "-device", "cpu")
    refused = run_command(*command, environment=environment, expected_code=2)
    assert refused.stderr.splitlines()[-1].startswith(f"{TRAINER}: this configuration is 2D")
    small = json.loads((own_dataset.preprocessed / "nnUNetPlans.json").read_text())
    small["configurations"]["2d"] |= {"batch_size": 2}
    (own_dataset.preprocessed / "nnUNetPlans.json").write_text(json.dumps(small))
    train_and_predict(own_dataset, tmp_path, {}, configuration="2d", trainer=f"{TRAINER}NoTranslation")


@matrix
def test_validation_options_and_pretrained_weights(own_dataset, tmp_path):
    fold = train_and_predict(own_dataset, tmp_path, {"num_epochs": 2, "validation_styles": "all"}, "--npz")
    case = next((fold / "validation").glob("*.npz")).stem
    assert not list(fold.glob("validation_*/*.npz"))
    environment = with_plugin(own_dataset, tmp_path)
    settings = json.loads((tmp_path / "settings.json").read_text())
    summaries = {}
    for options in ("--val",), ("--val", "--val_best"):
        for file in fold.glob("validation*/summary.json"):
            file.unlink()
        train(environment, settings, *options)
        summaries[options] = json.loads((fold / "validation" / "summary.json").read_text())
        assert summaries[options]["metric_per_case"][0]["prediction_file"].endswith(f"{case}.nii.gz")
        assert len(list(fold.glob("validation_*/summary.json"))) == 1  # the style
    checkpoint = tmp_path / "pretrained.pth"
    (fold / "checkpoint_final.pth").rename(checkpoint)
    train(environment, settings | {"num_epochs": 1}, "-pretrained_weights", str(checkpoint))
    check_training(fold)


def test_several_channels_and_generators(tiny_dataset, tmp_path, monkeypatch):
    """The named channel is translated by two generators, the other one passes through."""
    TinyDataset(tmp_path / "nnunet").use(monkeypatch)
    dataset = variant(tiny_dataset, tmp_path / "nnunet", second_channel, channel="translated")
    files = [generator_file(tmp_path / f"{number}.safetensors", seed=number) for number in range(2)]
    settings = {"generator": files, "channel": "translated", "policy": {"uniform": 1, "balanced": 1}, "p_slerp": 0.5,
                "exemplars": ["target_1"]}  # fmt: skip
    train_and_predict(dataset, tmp_path, settings)
    banks = sorted(dataset.results.glob("IntraStyler__*/style_bank_*.safetensors"))
    assert [len(StyleBank.load(bank).names) for bank in banks] == [3, 3]


def test_cascade(own_dataset, tmp_path):
    """3d_lowres, then 3d_cascade_fullres on its segmentations; both translate the image channel."""
    add_cascade(own_dataset)
    low = generator_file(tmp_path / "low.safetensors", spacing=LOWRES_SPACING)
    environment = with_plugin(own_dataset, tmp_path)
    settings = SHORT | {"exemplars": ["target_0"]}
    train(environment, settings | {"generator": low}, configuration="3d_lowres", fold="all")
    full = generator_file(tmp_path / "full.safetensors")
    train(environment, settings | {"generator": full}, configuration="3d_cascade_fullres", fold="all")
    for configuration in ("3d_lowres", "3d_cascade_fullres"):
        check_training(fold_folder(own_dataset, configuration=configuration, fold="all"))
    stock, images = without_plugin(own_dataset, tmp_path), images_to_predict(own_dataset, tmp_path / "low_images")
    predict(stock, images, tmp_path / "low", configuration="3d_lowres", fold="all")
    check_prediction(own_dataset, tmp_path, "-prev_stage_predictions", str(tmp_path / "low"),
                     configuration="3d_cascade_fullres", fold="all")  # fmt: skip
