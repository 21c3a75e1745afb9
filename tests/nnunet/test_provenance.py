"""What a training says of itself: in its checkpoints, to nnU-Net's loggers, and to those who continue it."""

import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.model_sharing.model_export import export_pretrained_model
from nnunetv2.model_sharing.model_import import install_model_from_zip_file
from tiny_dataset import CONFIGURATION, tiny_generator

from intrastyler_nnunet.nnunet.settings import ResolvedSettings, check_resumable, write_resolved


class Remembering:
    """A logger beside nnU-Net's own, as its W&B logger is one."""

    def __init__(self):
        self.curves: dict[str, list[tuple[int, float]]] = {}
        self.config: dict = {}

    def log(self, key: str, value, step: int) -> None:
        self.curves.setdefault(key, []).append((step, float(value)))

    def update_config(self, config: dict) -> None:
        self.config |= config

    def log_summary(self, key: str, value) -> None:
        pass


def test_archives_of_a_model_keep_what_it_was_trained_on(make_trainer, own_dataset, tmp_path, monkeypatch):
    tiny_generator(training={"epochs": 7}).save(tmp_path / "generator.safetensors")
    trainer = make_trainer(p_slerp=0.25)
    trainer.on_train_start()
    trainer.save_checkpoint(f"{trainer.output_folder}/checkpoint_final.pth")
    assert "intrastyler" not in trainer.my_init_kwargs
    for name in ("progress.png", "validation/summary.json"):  # of a whole training, which archives have to hold
        path = Path(trainer.output_folder) / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    # nnU-Net fixes these folders when it is imported.
    for module in ("nnunetv2.paths", "nnunetv2.model_sharing.model_import", "nnunetv2.utilities.file_path_utilities"):
        monkeypatch.setattr(f"{module}.nnUNet_results", str(own_dataset.root / "nnUNet_results"), raising=False)
    archive, elsewhere = tmp_path / "model.zip", tmp_path / "elsewhere"
    export_pretrained_model(
        998, str(archive), (CONFIGURATION,), trainer=type(trainer).__name__, folds=(0,), strict=False
    )
    elsewhere.mkdir()
    monkeypatch.setattr("nnunetv2.model_sharing.model_import.nnUNet_results", str(elsewhere))
    install_model_from_zip_file(str(archive))
    (path,) = elsewhere.rglob("checkpoint_final.pth")
    assert zipfile.is_zipfile(archive)
    told = torch.load(path, weights_only=False)["init_args"]["intrastyler"]
    resolved = trainer.resolved_settings
    assert told["settings"] == dataclasses.asdict(resolved)
    assert told["settings"]["p_slerp"] == 0.25
    assert told["settings"]["bank_fingerprint"] == trainer.translation.banks[0].fingerprint
    assert told["settings"]["exemplar_names"] == ["target_0", "target_1", "target_2"]
    assert len(told["settings"]["generator_sha256"]) == 64
    assert told["generators"][0]["training"] == {"epochs": 7}
    predictor = nnUNetPredictor(device=torch.device("cpu"))
    predictor.initialize_from_trained_model_folder(str(path.parents[1]), (0,), "checkpoint_final.pth")
    assert predictor.configuration_manager.patch_size == trainer.configuration_manager.patch_size


def test_curves_of_every_style_and_settings_go_to_nnunets_loggers(make_trainer, tmp_path):
    trainer = make_trainer(num_epochs=2, num_iterations_per_epoch=1, num_val_iterations_per_epoch=2)
    logger = Remembering()
    trainer.logger.loggers.append(logger)
    trainer.run_training()
    assert logger.config["intrastyler"]["exemplar_names"] == ["target_0", "target_1", "target_2"]
    dice = [f"intrastyler/dice/{name}" for name in trainer.validation_styles.names]
    shares = [f"intrastyler/time/{name}" for name in ("waiting", "translation", "augmentation", "network")]
    for name in (*dice, "intrastyler/worst_style_dice", *shares):
        assert [step for step, _ in logger.curves[name]] == [0, 1], name
    assert np.isclose(sum(logger.curves[name][0][1] for name in shares), 1)
    rows = [json.loads(line) for line in (Path(trainer.output_folder) / "styles.jsonl").read_text().splitlines()]
    values = [row["dice"][trainer.validation_styles.names[0]] for row in rows]
    assert np.allclose([value for _, value in logger.curves[dice[0]]], values, atol=1e-4)
    pictures = sorted(path.name for path in (Path(trainer.output_folder) / "translated_batches").iterdir())
    assert pictures == ["epoch_0000.png", "epoch_0001.png"]
    own = trainer.logger.local_logger.my_fantastic_logging
    assert not any("intrastyler" in key for key in own), "nnU-Net's plot counts on its own curves"


@pytest.mark.parametrize(
    ("names", "told"),
    [(["a", "b", "d"], "d is new, c is gone"), (["a", "b", "c"], "of the same names"),
     (["a", "b", "c", *map(str, range(9))], "0 is new, 1 is new, 2 is new, 3 is new, 4 is new and more")],
)  # fmt: skip
def test_other_exemplars_are_refused(tmp_path, names, told):
    begun = ResolvedSettings(bank_fingerprint="1-2", exemplar_names=["a", "b", "c"])
    write_resolved(begun, tmp_path)
    check_resumable(begun, tmp_path)
    now = dataclasses.replace(begun, bank_fingerprint="1-3", exemplar_names=names)
    with pytest.raises(Exception, match=rf"this training was begun with other exemplars \({told}\)"):
        check_resumable(now, tmp_path)


def test_trainings_of_former_versions_go_on(tmp_path):
    write_resolved(ResolvedSettings(), tmp_path)
    content = json.loads((tmp_path / "intrastyler_settings.json").read_text())
    for name in ("bank_fingerprint", "exemplar_names", "validation_styles"):
        del content[name]
    (tmp_path / "intrastyler_settings.json").write_text(json.dumps(content))
    check_resumable(ResolvedSettings(bank_fingerprint="1-3", exemplar_names=["a"]), tmp_path)


def test_weights_and_biases_has_a_curve_for_every_style(make_trainer, monkeypatch):
    """Offline; the run's file has each curve once for each epoch."""
    pytest.importorskip("wandb")
    monkeypatch.setenv("nnUNet_wandb_enabled", "1")
    monkeypatch.setenv("nnUNet_wandb_mode", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    trainer = make_trainer(num_epochs=2, num_iterations_per_epoch=1, num_val_iterations_per_epoch=2)
    trainer.run_training()
    trainer.logger.loggers[0].run.finish()
    (path,) = Path(trainer.output_folder).glob("wandb/offline-run-*/run-*.wandb")
    written = path.read_bytes()  # records follow each other uncompressed
    styles = [f"dice/{name}" for name in trainer.validation_styles.names]
    for curve in (*styles, "worst_style_dice", "time/translation", "translated batch"):
        assert written.count(f"intrastyler/{curve}".encode()) >= 2, curve
    assert trainer.resolved_settings.generator_sha256.encode() in written
