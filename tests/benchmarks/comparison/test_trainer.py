"""The comparison's trainer gives the same weights again, also when it is interrupted."""

import json

import pytest
import torch
from tiny_dataset import CONFIGURATION, tiny_generator

from benchmarks.comparison import trainer as trainer_module
from benchmarks.comparison.random_convolutions import apply_random_convolutions
from benchmarks.comparison.trainer import (
    nnUNetTrainerRepeatable,
    nnUNetTrainerRepeatableShort,
    nnUNetTrainerRepeatableShortDA5,
    nnUNetTrainerRepeatableShortGIN,
)
from intrastyler_nnunet.nnunet.augmentation.parameters import leaves


@pytest.fixture
def trainer_of(own_dataset, tmp_path, monkeypatch):
    """Makes a trainer of two epochs whose results go to the folder named."""
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")
    monkeypatch.setenv("nnUNet_compile", "f")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("INTRASTYLER_GENERATOR", raising=False)
    monkeypatch.setenv("INTRASTYLER_SETTINGS", str(tmp_path / "settings.json"))
    tiny_generator().save(tmp_path / "generator.safetensors")
    plans = json.loads((own_dataset.preprocessed / "nnUNetPlans.json").read_text())
    dataset_json = json.loads((own_dataset.preprocessed / "dataset.json").read_text())

    def make(results: str, resume=False, trainer=nnUNetTrainerRepeatable, **settings) -> nnUNetTrainerRepeatable:
        monkeypatch.setenv("nnUNet_results", str(tmp_path / results))
        settings |= {
            "generator": str(tmp_path / "generator.safetensors"), "num_epochs": 2, "num_iterations_per_epoch": 2,
            "num_val_iterations_per_epoch": 1, "save_every": 1,
        }  # fmt: skip
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        return trainer(plans | {"continue_training": resume}, CONFIGURATION, "all", dataset_json, torch.device("cpu"))

    return make


@pytest.fixture
def weights(trainer_of):
    """Trains for two epochs, or one, or the second, and returns the network's weights."""

    def train(results: str, seed: int = 3, stop: bool = False, resume: bool = False) -> torch.Tensor:
        trainer = trainer_of(results, resume, seed=seed)
        if stop:
            trainer.on_epoch_end = stopping_after(trainer.on_epoch_end)
        if resume:
            trainer.load_checkpoint(f"{trainer.output_folder}/checkpoint_latest.pth")
        trainer.run_training()
        trainer.perform_actual_validation()
        return vector(trainer)

    return train


def vector(trainer: nnUNetTrainerRepeatable) -> torch.Tensor:
    """The network's weights as one vector."""
    return torch.cat([weight.detach().flatten() for weight in trainer.network.parameters()])


def stopping_after(on_epoch_end):
    """Ends the training by Ctrl-C after its first epoch."""

    def stop():
        on_epoch_end()
        raise KeyboardInterrupt

    return stop


def test_the_same_weights_again_and_after_an_interruption(weights):
    torch.manual_seed(1)
    first = weights("first")
    torch.manual_seed(2)
    assert torch.equal(weights("second"), first)
    with pytest.raises(KeyboardInterrupt):
        weights("third", stop=True)
    assert torch.equal(weights("third", resume=True), first)
    assert not torch.equal(weights("fourth", seed=4), first)


def test_the_same_weights_at_the_start_whether_translated_or_not(trainer_of):
    translated, as_they_are = trainer_of("first", seed=3), trainer_of("second", seed=3, p_translate=0.0)
    translated.initialize()
    as_they_are.initialize()
    assert torch.equal(vector(translated), vector(as_they_are))


def test_a_short_training_has_adamw_and_one_cycle(trainer_of):
    trainer = trainer_of("short", trainer=nnUNetTrainerRepeatableShort)
    trainer.initialize()
    assert type(trainer.optimizer) is torch.optim.AdamW
    trainer.num_epochs = 10
    trainer.optimizer, trainer.lr_scheduler = trainer.configure_optimizers()
    rates = []
    for epoch in range(10):
        trainer.lr_scheduler.step(epoch)  # as nnU-Net does, also after a stop
        rates.append(trainer.optimizer.param_groups[0]["lr"])
    assert max(rates) == pytest.approx(3e-3, rel=0.1)
    assert rates.index(max(rates)) == 3
    assert rates[0] == pytest.approx(3e-3 / 25)
    assert 1e-5 < rates[-1] < 3e-4


@pytest.mark.half_precision
def test_bfloat16_is_close_to_float32_and_comes_back_as_float32(trainer_of):
    trainer = trainer_of("short", trainer=nnUNetTrainerRepeatableShort)
    trainer.initialize()
    images = torch.randn(1, 1, *trainer.configuration_manager.patch_size)
    quick, exact = trainer.network(images), type(trainer.network).forward(trainer.network, images)
    for one, other in zip(quick, exact, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.1)


def test_gin_changes_every_batch_by_networks_of_its_own(trainer_of, monkeypatch):
    drawn = []

    def remembered(images, networks):
        drawn.append(networks.shares)
        return apply_random_convolutions(images, networks)

    monkeypatch.setattr(trainer_module, "apply_random_convolutions", remembered)
    trainer = trainer_of("gin", trainer=nnUNetTrainerRepeatableShortGIN, p_translate=0.0)
    trainer.run_training()
    assert len(drawn) == 4  # two epochs of two batches
    assert len({tuple(shares.tolist()) for shares in drawn}) == 4
    images = torch.randn(2, 1, 4, 6, 6)
    outside = torch.zeros_like(images, dtype=torch.bool)
    outside[..., :2] = True
    trainer.moved_transforms = []
    made = trainer._augmented(images, outside)
    assert not made[outside].any()
    assert not torch.allclose(made[~outside], images[~outside])


def test_da5_trains_on_images_as_they_are(trainer_of):
    trainer = trainer_of("da5", trainer=nnUNetTrainerRepeatableShortDA5, p_translate=0.0)
    trainer.run_training()
    assert trainer.translation is None
    assert {"LocalGammaTransform", "SharpeningTransform"} <= {
        type(leaf).__name__ for transform in trainer.moved_transforms for leaf in leaves(transform)
    }
