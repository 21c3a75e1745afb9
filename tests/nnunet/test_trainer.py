"""The trainer on a real, tiny nnU-Net dataset."""

import shutil
from collections.abc import Callable

import numpy as np
import pytest
import torch
from fake_cuda import fake_cuda
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from tiny_dataset import CONFIGURATION, tiny_generator

from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.augmentation import worker_transforms
from intrastyler_nnunet.nnunet.augmentation.intensity import augment_intensity
from intrastyler_nnunet.nnunet.augmentation.parameters import sample_intensity_parameters
from intrastyler_nnunet.nnunet.exemplar_translation import ExemplarTranslation
from intrastyler_nnunet.nnunet.final_validation import FinalValidation
from intrastyler_nnunet.nnunet.trainer import TRAINING_NOISE, nnUNetTrainerIntraStyler
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.sampling import draw_styles
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.translation.windows import read_windows


def started(trainer: nnUNetTrainerIntraStyler) -> nnUNetTrainerIntraStyler:
    trainer.initialize()
    trainer.dataloader_train, trainer.dataloader_val = trainer.get_dataloaders()
    return trainer


def copied(batch: dict) -> dict:
    return {
        "data": batch["data"].clone(),
        "target": [labels.clone() for labels in batch["target"]],
        "keys": list(batch["keys"]),
    }


def offline_translation(trainer, batch: dict, exemplars: np.ndarray) -> torch.Tensor:
    """Translate the batch sample by sample from the files alone, padding to zero."""
    plans = trainer.plans_manager
    generator = Generator.load(trainer.resolved_settings.generator)
    bank_folder = folders.synthesizer_folder(998, plans.plans_name, CONFIGURATION)
    bank = StyleBank.load(bank_folder / "style_bank.safetensors")
    windows = read_windows(folders.configuration_folder(998, plans, CONFIGURATION))
    translated = []
    for image, case, exemplar in zip(batch["data"], batch["keys"], exemplars, strict=True):
        synthetic = Translator(generator)(
            image.nan_to_num(0)[None],
            torch.tensor([windows[case]]),
            bank.vectors[exemplar][None],
            bank.windows[exemplar][None],
            image.isnan()[None],
        )[0]
        translated.append(synthetic)
    return torch.stack(translated)


def uniform_exemplars(place: list[int]) -> np.ndarray:
    """Two of the three exemplars, as drawn at a place of the training."""
    return draw_styles(np.random.default_rng(place), 2, np.full(3, 1 / 3), 1.0, 0.0).exemplars


def test_a_batch_equals_the_one_translated_offline_then_augmented(make_trainer):
    trainer = started(make_trainer(seed=5))
    trainer.current_epoch = 3
    trainer.iteration = first_augmented_iteration = 2
    batch = next(trainer.dataloader_train)
    formed = trainer.training_batch(copied(batch))["data"]

    place = [5, 0, 3, first_augmented_iteration]
    exemplars = uniform_exemplars([*place, 0])
    parameters = sample_intensity_parameters(np.random.default_rng([*place, 1]), trainer.moved_transforms, 2, 1, 3)
    translated = offline_translation(trainer, batch, exemplars)
    torch.testing.assert_close(formed, augment_intensity(translated, parameters, 1), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(formed, translated, atol=1e-3), "this iteration was to be augmented"


def test_validation_batches_are_translated_and_not_augmented(make_trainer):
    trainer = started(make_trainer())
    styles = trainer.validation_styles.exemplars
    assert len(styles) == 2
    batches = [next(trainer.dataloader_val) for _ in range(4)]
    given = [copied(batch) for batch in batches]
    for iteration, batch in enumerate(batches):
        formed = trainer.validation_batch(batch)
        first = given[iteration - iteration % 2]  # both styles see its patches
        exemplars = np.full(2, styles[iteration % 2])
        expected = offline_translation(trainer, first, exemplars)
        torch.testing.assert_close(formed["data"], expected, atol=1e-4, rtol=1e-4)
        assert all(torch.equal(a, b) for a, b in zip(formed["target"], first["target"], strict=True))
        assert list(formed["keys"]) == list(first["keys"])
        formed["target"][0].zero_()  # as nnU-Net does with the ignore label


def test_padding_is_zero_and_labels_are_untouched(make_trainer):
    trainer = started(make_trainer())
    for _ in range(4):
        batch = next(trainer.dataloader_val)
        given = copied(batch)
        trainer.iteration = 0
        formed = trainer.validation_batch(batch)
        outside = given["data"].isnan()
        assert (formed["data"][outside] == 0).all()
        assert formed["data"].isfinite().all()
        assert all(torch.equal(a, b) for a, b in zip(formed["target"], given["target"], strict=True))
        assert list(formed["keys"]) == given["keys"]


def batch_with_padding(seed: int = 0) -> dict:
    """As a worker makes it, the first voxels along axis 0 outside the image."""
    data = torch.randn(2, 1, 12, 24, 32, generator=torch.Generator().manual_seed(seed))
    data[:, :, :3] = torch.nan
    labels = [torch.zeros(2, 1, 12 // s, 24 // s, 32 // s, dtype=torch.int16) for s in (1, 2)]
    return {"data": data, "target": labels, "keys": ["source_0", "source_3"]}


def test_masked_normalisation_keeps_zeros_outside_after_augmentation(make_trainer):
    trainer = started(make_trainer())
    changed = []
    for masked in (True, False):
        trainer.configuration_manager.configuration["use_mask_for_norm"] = [masked]
        trainer.iteration = 0
        outside = [trainer.training_batch(batch_with_padding())["data"][:, :, :3] for _ in range(10)]
        changed.append(bool(torch.cat(outside).count_nonzero()))
    assert changed == [False, True], "nnU-Net augments padding unless it normalises within a mask"


def test_random_numbers_depend_on_place_in_training_alone(make_trainer):
    batch = batch_with_padding()
    formed = []
    for _ in range(2):
        trainer = started(make_trainer(seed=1))
        trainer.current_epoch, trainer.iteration = 7, 11
        formed.append(trainer.training_batch(copied(batch))["data"])
    assert torch.equal(*formed)
    trainer.iteration = 12
    assert not torch.equal(trainer.training_batch(copied(batch))["data"], formed[0])


def test_without_translation_nothing_of_the_synthesizer_is_needed(make_trainer, own_dataset, monkeypatch):
    monkeypatch.delenv("INTRASTYLER_GENERATOR")
    shutil.rmtree(own_dataset.preprocessed / "nnUNetPlans_3d_fullres_target")
    trainer = started(make_trainer(p_translate=0))
    batch = batch_with_padding()
    assert torch.equal(trainer.validation_batch(copied(batch))["data"], batch["data"].nan_to_num(0))
    formed = trainer.training_batch(copied(batch))["data"]
    parameters = sample_intensity_parameters(np.random.default_rng([0, 0, 0, 1, 1]), trainer.moved_transforms, 2, 1, 3)
    assert torch.equal(formed, augment_intensity(batch["data"].nan_to_num(0), parameters, 1))


def test_share_of_translated_samples_follows_the_setting(make_trainer):
    trainer = started(make_trainer(p_translate=0.5))
    batch = batch_with_padding()
    source = batch["data"].nan_to_num(0)
    kept = 0
    for trainer.iteration in range(40):
        images, outside = source.clone(), batch["data"].isnan()
        translated = trainer._translated_to(images, outside, batch, trainer._draw(batch["keys"]), TRAINING_NOISE)
        kept += sum(torch.equal(a, b) for a, b in zip(translated, source, strict=True))
    assert 20 <= kept <= 60


def test_a_training_step_learns(make_trainer):
    trainer = started(make_trainer())
    trainer.set_deep_supervision_enabled(True)
    before = [parameter.clone() for parameter in trainer.network.parameters()]
    loss = trainer.train_step(next(trainer.dataloader_train))["loss"]
    assert np.isfinite(loss)
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.network.parameters(), strict=True))
    trainer.on_validation_epoch_start()
    with torch.no_grad():
        assert np.isfinite(trainer.validation_step(next(trainer.dataloader_val))["loss"])


def test_cases_of_the_final_validation_are_translated(make_trainer):
    trainer = started(make_trainer())
    seen = {}

    class Spy(nnUNetDatasetBlosc2):
        def load_case(self, identifier):
            seen[identifier] = super().load_case(identifier)
            return seen[identifier]

    trainer.dataset_class = Spy
    _, cases = trainer.do_split()
    with FinalValidation(trainer, save_probabilities=False):
        assert trainer.do_split()[1] == cases
        dataset = trainer.dataset_class(trainer.preprocessed_dataset_folder, cases)
        image, labels, _, properties = dataset.load_case(cases[0])
    assert trainer.dataset_class is Spy
    assert "do_split" not in vars(trainer)
    stock_image, stock_labels, _, stock_properties = seen[cases[0]]
    assert labels is stock_labels
    assert properties is stock_properties
    source = torch.from_numpy(stock_image[:])[None]
    candidates = [
        offline_translation(trainer, {"data": source, "keys": [cases[0]]}, np.array([exemplar]))
        for exemplar in range(3)
    ]
    assert image.shape == stock_image.shape
    assert any(torch.allclose(candidate[0], torch.from_numpy(image), atol=1e-4) for candidate in candidates)


def test_continuing_with_another_translation_ends_with_one_line(make_trainer, capsys):
    trainer = make_trainer()
    trainer.on_train_start()
    checkpoint = f"{trainer.output_folder}/checkpoint_latest.pth"
    trainer.current_epoch = 4
    trainer.save_checkpoint(checkpoint)
    resumed = make_trainer(num_epochs=10)
    resumed.load_checkpoint(checkpoint)
    assert resumed.current_epoch == 5
    other = make_trainer(p_translate=0)
    line = refusal(lambda: other.load_checkpoint(checkpoint), capsys)
    assert "begun with p_translate 1.0, now it is 0" in line


def refusal(start: Callable, capsys) -> str:
    """The one line with which `start` ends the process."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        start()
    assert exit_.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("nnUNetTrainerIntraStyler: ")
    return lines[0]


def test_missing_generator_ends_with_one_line(make_trainer, capsys, monkeypatch):
    trainer = make_trainer()
    monkeypatch.setenv("INTRASTYLER_GENERATOR", "nowhere.safetensors")
    assert "nowhere.safetensors: no such generator" in refusal(trainer.initialize, capsys)


def test_a_file_that_is_no_generator_ends_with_one_line(make_trainer, capsys, tmp_path):
    trainer = make_trainer()
    (tmp_path / "generator.safetensors").write_text("hello")
    assert "generator.safetensors: not a safetensors file" in refusal(trainer.initialize, capsys)


def test_missing_target_ends_with_one_line(make_trainer, own_dataset, capsys):
    trainer = make_trainer()
    shutil.rmtree(own_dataset.preprocessed / "nnUNetPlans_3d_fullres_target")
    shutil.rmtree(own_dataset.results, ignore_errors=True)  # a style bank would do instead
    assert "run intrastyler add-target" in refusal(trainer.initialize, capsys)


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        ({"spacing": (3.0, 1.0, 1.0)}, "trained with spacing"),
        ({"transpose_forward": (1, 0, 2)}, "trained with transpose_forward"),
        ({"normalization": ("CTNormalization",)}, "trained with normalization"),
    ],
)
def test_a_generator_that_does_not_fit_ends_with_one_line(make_trainer, capsys, tmp_path, metadata, named):
    trainer = make_trainer()
    tiny_generator(**metadata).save(tmp_path / "generator.safetensors")
    assert f"generator.safetensors: {named}" in refusal(trainer.initialize, capsys)


def test_unknown_setting_ends_with_one_line(make_trainer, capsys):
    assert 'unknown entry "epochs"' in refusal(make_trainer(epochs=3).initialize, capsys)


def test_a_setting_that_names_nothing_ends_with_one_line(make_trainer, capsys):
    assert "'target_9' is no target case" in refusal(make_trainer(exemplars=["target_9"]).initialize, capsys)
    assert "there is no channel 'T1'" in refusal(make_trainer(channel="T1").initialize, capsys)


def test_2d_and_the_cascades_self_training_end_with_one_line(make_trainer, capsys, tmp_path):
    trainer = make_trainer()
    trainer.configuration_manager.configuration["patch_size"] = [24, 32]
    assert "this configuration is 2D" in refusal(trainer.initialize, capsys)
    trainer = make_trainer(self_training=str(tmp_path / "cases.json"))
    trainer.is_cascaded = True
    assert "no segmentations of a previous stage" in refusal(trainer.initialize, capsys)


def test_a_compiled_network_trains_and_its_checkpoint_is_a_stock_one(make_trainer, tmp_path):
    trainer = started(make_trainer())
    names = list(trainer.network.state_dict())
    # As nnU-Net compiles it on a GPU, where alone it does; this back end needs no compiler.
    trainer.network = torch.compile(trainer.network, backend="eager")
    trainer.set_deep_supervision_enabled(True)
    assert np.isfinite(trainer.train_step(next(trainer.dataloader_train))["loss"])
    trainer.save_checkpoint(str(tmp_path / "checkpoint.pth"))
    checkpoint = torch.load(tmp_path / "checkpoint.pth", weights_only=False)
    assert list(checkpoint["network_weights"]) == names


def test_samples_that_keep_their_style_are_validated_too(make_trainer):
    trainer = started(make_trainer(p_translate=0.5, exemplars=["target_0"]))
    assert trainer.validation_styles.names == ("target_0", "source")
    batch = batch_with_padding()
    translated, kept = (trainer.validation_batch(copied(batch))["data"] for _ in range(2))
    assert torch.equal(kept, batch["data"].nan_to_num(0))
    assert not torch.equal(translated, kept)


def test_forms_batches_on_a_cuda_device_without_reading_back(make_trainer, monkeypatch):
    trainer = started(make_trainer())
    # torch.autocast switches itself off where there is no driver; the fake device needs none.
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    # Fake tensors have no content that the host could read.
    monkeypatch.setattr(worker_transforms, "is_padded", lambda images: True)
    with fake_cuda():
        with torch.device("cpu"):
            batch = batch_with_padding()
        bank = StyleBank(("a", "b", "c"), torch.randn(3, 8), torch.randn(3, 2), torch.zeros(3))
        windows = {"source_0": (-1.0, 2.0), "source_3": (-1.5, 2.5)}
        trainer.device = torch.device("cuda")
        trainer.current_epoch = 2  # one without a picture, which reads back
        translators = [Translator(tiny_generator()) for _ in range(2)]
        trainer.translation = ExemplarTranslation(translators, [bank, bank], windows, trainer.device)
        trainer.probabilities = np.full(6, 1 / 6)
        trainer.network = trainer.build_network_architecture(
            trainer.plans_manager, trainer.configuration_manager, 1, 3, enable_deep_supervision=True
        )
        for trainer.iteration in range(20):  # every intensity transform gets its turn
            images = trainer.training_batch(batch)["data"]
            assert images.device.type == "cuda"
        assert trainer.validation_batch(batch)["data"].device.type == "cuda"
        with torch.autocast("cuda"):
            output = trainer.network(images)
            loss = trainer.loss(output, [labels.to("cuda") for labels in batch["target"]])
        assert loss.device.type == "cuda"
