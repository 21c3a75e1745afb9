"""A trained model that a test may change."""

import shutil

import pytest
from tiny_dataset import tiny_generator
from trained_tiny_dataset import TrainedTinyDataset, train_tiny, write_new_images


@pytest.fixture(scope="session")
def trained_once(tiny_dataset, tmp_path_factory):
    """Do not change it."""
    dataset = TrainedTinyDataset(tmp_path_factory.mktemp("trained") / "nnunet")
    shutil.copytree(tiny_dataset.root, dataset.root)
    dataset.generator.parent.mkdir(parents=True)
    tiny_generator().save(dataset.generator)
    write_new_images(dataset)
    with pytest.MonkeyPatch.context() as monkeypatch:
        dataset.use(monkeypatch)
        train_tiny(dataset, dataset.root / "settings.json")
    return dataset


@pytest.fixture
def trained(trained_once, tmp_path, monkeypatch):
    """A copy that a test may change; nnU-Net's variables point to it."""
    dataset = TrainedTinyDataset(tmp_path / "nnunet")
    shutil.copytree(trained_once.root, dataset.root)
    dataset.use(monkeypatch)
    return dataset
