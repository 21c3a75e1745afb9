"""nnU-Net's final validation in the chosen styles: one encoding of each case, and nothing lost to a kill."""

import json
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from intrastyler_nnunet.nnunet.final_validation import PROGRESS_FILE, FinalValidation
from intrastyler_nnunet.nnunet.style_validation import EpochDice, record
from intrastyler_nnunet.styles.sampling import StyleDraw


@pytest.fixture
def validated(make_trainer, monkeypatch, tmp_path):
    """Makes an initialised trainer that may validate; the number of encodings is its `encoded`."""
    monkeypatch.setenv("nnUNet_def_n_proc", "1")

    def make(**settings):
        trainer = make_trainer(**settings)
        trainer.initialize()
        trainer.output_folder = str(tmp_path / "fold_0")
        Path(trainer.output_folder).mkdir(exist_ok=True)
        trainer.encoded = []
        encoder = trainer.translation.translators[0].generator.content_encoder
        encoder.layers[0].register_forward_hook(lambda *_: trainer.encoded.append(1))
        return trainer

    return make


def written(folder: Path) -> dict[str, list[str]]:
    """Segmentations and summaries by folder."""
    return {
        path.name: sorted(file.name for file in path.iterdir()) for path in sorted(folder.glob("validation*"))
        if path.is_dir()
    }  # fmt: skip


def test_a_case_is_encoded_once_for_all_styles_and_each_has_a_summary(validated):
    trainer = validated(validation_styles="all")
    _, (case,) = trainer.do_split()
    trainer.perform_actual_validation()
    names = trainer.validation_styles.names
    expected = [f"{case}.nii.gz", "summary.json"]
    folder = Path(trainer.output_folder)
    assert written(folder) == dict.fromkeys(("validation", *(f"validation_{name}" for name in names)), expected)
    assert len(trainer.encoded) == 1
    assert not (folder / PROGRESS_FILE).exists()
    # nnU-Net's own summary of such a folder.
    labels = trainer.label_manager.foreground_labels
    compute_metrics_on_folder(
        f"{trainer.preprocessed_dataset_folder_base}/gt_segmentations", str(folder / f"validation_{names[0]}"),
        str(folder / "nnunets.json"), SimpleITKIO(), ".nii.gz", labels, None, 1,
    )  # fmt: skip
    assert json.loads((folder / "nnunets.json").read_text()) == json.loads(
        (folder / f"validation_{names[0]}" / "summary.json").read_text()
    )
    # A segmentation of the case translated offline, by nnU-Net's own predictor.
    exemplar = trainer.validation_styles.exemplars[1]
    image, labels, _, _ = nnUNetDatasetBlosc2(trainer.preprocessed_dataset_folder, [case]).load_case(case)
    draw = StyleDraw.of(np.array([exemplar]))
    (translated,) = trainer.translation.translate_case(image[:], labels[:], case, draw)
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        trainer.network, trainer.plans_manager, trainer.configuration_manager, None, trainer.dataset_json, "",
        trainer.inference_allowed_mirroring_axes,
    )  # fmt: skip
    trainer.set_deep_supervision_enabled(False)
    logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(translated))
    segmentation = sitk.ReadImage(str(folder / f"validation_{names[1]}" / f"{case}.nii.gz"))
    agreement = (logits.argmax(0).numpy() == sitk.GetArrayFromImage(segmentation)).mean()
    assert agreement > 0.99


def pending(trainer, save_probabilities: bool = False, done: tuple[str, ...] = ()) -> list[str]:
    """What a validation predicts that is killed after the named ones, or at the end of the block."""
    names = []
    with suppress(KeyboardInterrupt), FinalValidation(trainer, save_probabilities):
        _, cases = trainer.do_split()
        names = trainer.dataset_class(trainer.preprocessed_dataset_folder, cases).identifiers
        for name in done:
            source = Path(trainer.preprocessed_dataset_folder_base) / "gt_segmentations" / f"{Path(name).name}.nii.gz"
            shutil.copy(source, Path(trainer.output_folder) / "validation" / f"{name}.nii.gz")
        raise KeyboardInterrupt
    return names


def test_the_setting_says_how_many_styles(validated):
    counts = {}
    for setting in ("own", 1, 2, 20, "all"):
        trainer = validated(validation_styles=setting)
        counts[setting] = len(pending(trainer))
    assert len(trainer.validation_styles) == 2
    assert counts == {"own": 1, 1: 2, 2: 3, 20: 3, "all": 3}


def test_the_lowest_styles_of_the_training_come_first(validated):
    trainer = validated(validation_styles=1)
    first, second = trainer.validation_styles.names
    folder = Path(trainer.output_folder)
    record(folder, [EpochDice(0, {first: 0.8, second: 0.3})], (first, second))
    assert pending(trainer)[1].startswith(f"../validation_{second}/")


def test_a_killed_validation_goes_on_where_it_was(validated):
    trainer = validated(validation_styles="all")
    everything = pending(trainer)
    assert json.loads((Path(trainer.output_folder) / PROGRESS_FILE).read_text())["styles"] == [
        "validation", *(f"validation_{name}" for name in trainer.validation_styles.names)
    ]  # fmt: skip
    assert pending(trainer, done=everything[:2]) == everything
    assert pending(trainer) == everything[2:]
    cut = Path(trainer.output_folder) / "validation" / f"{everything[1]}.nii.gz"
    cut.write_bytes(cut.read_bytes()[:100])  # by the kill
    assert pending(trainer, done=everything) == everything[1:]
    assert pending(trainer) == []


def test_another_validation_begins_anew(validated):
    trainer = validated(validation_styles="all")
    everything = pending(trainer)
    for change in ("weights", "probabilities", "styles"):
        pending(trainer, done=everything)
        assert pending(trainer) == []
        if change == "weights":
            with torch.no_grad():
                next(trainer.network.parameters()).add_(1)
        elif change == "styles":
            trainer.settings = replace(trainer.settings, p_slerp=0.5)
        assert pending(trainer, save_probabilities=change == "probabilities") == everything, change
        pending(trainer)


def test_a_finished_validation_is_done_again(validated):
    trainer = validated()
    everything = pending(trainer)
    pending(trainer, done=everything)
    with FinalValidation(trainer, False):
        pass
    assert pending(trainer) == everything
