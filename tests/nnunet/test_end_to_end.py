"""nnU-Net's own commands with the plug-in: train, continue, predict where the plug-in is not installed."""

import json

import numpy as np
import pytest
from plugin_commands import TRAINER, predict, segmentations, train, with_plugin, without_plugin
from tiny_dataset import CONFIGURATION, tiny_generator


@pytest.mark.slow
def test_train_continue_predict(own_dataset, tmp_path):
    tiny_generator().save(tmp_path / "generator.safetensors")
    environment = with_plugin(own_dataset, tmp_path) | {
        "INTRASTYLER_GENERATOR": str(tmp_path / "generator.safetensors")
    }
    short = {"num_iterations_per_epoch": 2, "num_val_iterations_per_epoch": 1, "save_every": 1, "seed": 3,
             "validation_styles": "all"}  # fmt: skip

    train(environment, short | {"num_epochs": 2})
    model = own_dataset.results / f"{TRAINER}__nnUNetPlans__{CONFIGURATION}"
    fold = model / "fold_0"
    resolved = json.loads((fold / "intrastyler_settings.json").read_text())
    assert resolved["generator"] == environment["INTRASTYLER_GENERATOR"]
    assert len(json.loads((fold / "validation" / "summary.json").read_text())["metric_per_case"]) == 1
    rows = [json.loads(line) for line in (fold / "styles.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1]
    assert (fold / "progress_styles.png").is_file()
    for name in rows[0]["dice"]:
        assert (fold / f"validation_{name}" / "summary.json").is_file()
    synthesizer = own_dataset.results / f"IntraStyler__nnUNetPlans__{CONFIGURATION}"
    assert (synthesizer / "style_bank.safetensors").is_file()

    train(environment, short | {"num_epochs": 3}, "--c")
    logs = [path.read_text() for path in sorted(fold.glob("training_log_*.txt"))]
    assert "Epoch 1" in logs[0]
    assert "Epoch 2" not in logs[0]
    assert "Epoch 2" in logs[-1]
    assert "Epoch 1" not in logs[-1]

    images = own_dataset.raw / "imagesTarget"
    stock_environment = without_plugin(own_dataset, tmp_path)
    ours, stock = tmp_path / "with_plugin", tmp_path / "without_plugin"
    predict(environment, images, ours, "--save_probabilities")
    predict(stock_environment, images, stock, "--save_probabilities")
    assert list(segmentations(ours)) == list(segmentations(stock)) == [f"target_{i}" for i in range(3)]
    for case, segmentation in segmentations(ours).items():
        assert np.array_equal(segmentation, segmentations(stock)[case])
        probabilities = [np.load(folder / f"{case}.npz")["probabilities"] for folder in (ours, stock)]
        assert np.array_equal(*probabilities)
        assert probabilities[0].std() > 0
