"""nnU-Net's own commands with the plug-in: train, continue, predict where the plug-in is not installed."""
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_dataset import CONFIGURATION, run_command, tiny_generator

from intrastyler_nnunet.cli.trainer_path import trainers_folder

TRAINER = "nnUNetTrainerIntraStyler"
REPOSITORY = Path(__file__).parents[2]


def train(environment: dict, settings: dict, root: Path, *options: str) -> None:
    (root / "settings.json").write_text(json.dumps(settings))
    command = ("nnUNetv2_train", "998", CONFIGURATION, "0", "-tr", TRAINER, "-device", "cpu", *options)
    run_command(*command, environment=environment)


def predict(environment: dict, images: Path, output: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Segmentation and class probabilities of every case."""
    run_command(
        "nnUNetv2_predict", "-d", "998", "-i", images, "-o", output, "-c", CONFIGURATION, "-f", "0",
        "-tr", TRAINER, "-device", "cpu", "-npp", "1", "-nps", "1", "--save_probabilities",
        environment=environment, folder=output.parent,
    )  # fmt: skip
    return {
        path.stem: (
            sitk.GetArrayFromImage(sitk.ReadImage(str(path.with_suffix(".nii.gz")))),
            np.load(path)["probabilities"],
        )
        for path in sorted(output.glob("*.npz"))
    }


@pytest.mark.slow
def test_train_continue_predict(own_dataset, tmp_path):
    tiny_generator().save(tmp_path / "generator.safetensors")
    with_plugin = {
        **own_dataset.environment,
        "PYTHONPATH": str(REPOSITORY),
        "nnUNet_extTrainer": str(trainers_folder()),
        "nnUNet_compile": "f",
        "nnUNet_def_n_proc": "1",
        "INTRASTYLER_SETTINGS": str(tmp_path / "settings.json"),
        "INTRASTYLER_GENERATOR": str(tmp_path / "generator.safetensors"),
    }
    short = {"num_iterations_per_epoch": 2, "num_val_iterations_per_epoch": 1, "save_every": 1, "seed": 3}

    train(with_plugin, short | {"num_epochs": 2}, tmp_path)
    model = own_dataset.results / f"{TRAINER}__nnUNetPlans__{CONFIGURATION}"
    fold = model / "fold_0"
    resolved = json.loads((fold / "intrastyler_settings.json").read_text())
    assert resolved["generator"] == with_plugin["INTRASTYLER_GENERATOR"]
    assert len(json.loads((fold / "validation" / "summary.json").read_text())["metric_per_case"]) == 1
    rows = [json.loads(line) for line in (fold / "styles.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1] and (fold / "progress_styles.png").is_file()
    for name in rows[0]["dice"]:
        assert (fold / f"validation_{name}" / "summary.json").is_file()
    synthesizer = own_dataset.results / f"IntraStyler__nnUNetPlans__{CONFIGURATION}"
    assert (synthesizer / "style_bank.safetensors").is_file()

    train(with_plugin, short | {"num_epochs": 3}, tmp_path, "--c")
    logs = [path.read_text() for path in sorted(fold.glob("training_log_*.txt"))]
    assert "Epoch 1" in logs[0]
    assert "Epoch 2" not in logs[0]
    assert "Epoch 2" in logs[-1]
    assert "Epoch 1" not in logs[-1]

    # A package of our name that cannot be imported stands in for an environment without the plug-in.
    broken = tmp_path / "without" / "intrastyler_nnunet"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('not installed')")
    without_plugin = {**own_dataset.environment, "PYTHONPATH": str(broken.parent)}
    images = own_dataset.raw / "imagesTarget"
    ours = predict(with_plugin, images, tmp_path / "with_plugin")
    stock = predict(without_plugin, images, tmp_path / "without_plugin")
    assert list(ours) == list(stock) == [f"target_{i}" for i in range(3)]
    for case, (segmentation, probabilities) in ours.items():
        assert np.array_equal(segmentation, stock[case][0])
        assert np.array_equal(probabilities, stock[case][1])
        assert probabilities.std() > 0
