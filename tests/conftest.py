"""Shared fixtures. Test helpers that live beside the tests are importable by name."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes share the processor's cores
sys.path.insert(0, str(Path(__file__).parent))
hypothesis.settings.register_profile("untimed", deadline=None)  # what takes long on a busy machine is not wrong
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def float32_on_cpus(monkeypatch, request):
    """Translation in float32 on every CPU, so that tests may compare it closely; but `half_precision` tests."""
    if "half_precision" not in request.keywords:
        from intrastyler_nnunet.translation import precision

        monkeypatch.setattr(precision, "has_half_precision", lambda device: device.type == "cuda")


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory):
    """A tiny nnU-Net dataset (a `TinyDataset`), source and target preprocessed. Do not change it."""
    from tiny_dataset import make_tiny_dataset

    from intrastyler_nnunet.nnunet.target.add import add_target

    dataset = make_tiny_dataset(tmp_path_factory.mktemp("nnunet"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        dataset.use(monkeypatch)
        add_target(998, "nnUNetPlans", processes=1)
    return dataset


@pytest.fixture
def own_dataset(tiny_dataset, tmp_path, monkeypatch):
    """A copy of the tiny dataset that a test may change; nnU-Net's variables point to it."""
    import shutil

    from tiny_dataset import TinyDataset

    shutil.copytree(tiny_dataset.root, tmp_path / "nnunet")
    dataset = TinyDataset(tmp_path / "nnunet")
    dataset.use(monkeypatch)
    return dataset
