"""Tiny preprocessed folders for the pretraining tests."""

import numpy as np
import pytest
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from tiny_pretraining import METADATA

from intrastyler_nnunet.model import config as architectures
from intrastyler_nnunet.model.config import DiscriminatorConfig, GeneratorConfig
from intrastyler_nnunet.nnunet.cases import PreprocessedCases


@pytest.fixture(scope="session")
def domain_folders(tmp_path_factory):
    """Source and target folders as nnU-Net's preprocessing leaves them: two cases of noise each, (10, 18, 20)."""
    rng = np.random.default_rng(0)
    shape = (10, 18, 20)
    folders = []
    for domain in ("source", "target"):
        folder = tmp_path_factory.mktemp("preprocessed") / domain
        folder.mkdir()
        for case in range(2):
            data = rng.normal(size=(1, *shape)).astype(np.float32)
            labels = rng.integers(-1, 4, size=(1, *shape)).astype(np.int16)
            nnUNetDatasetBlosc2.save_case(data, labels, {}, str(folder / f"{domain}_{case}"))
        folders.append(folder)
    return folders


@pytest.fixture
def tiny_preset(monkeypatch):
    """The preset "tiny", of networks that train a step in a second."""
    presets = {"tiny": (GeneratorConfig(width=4, residual_blocks=5, style_width=4), DiscriminatorConfig(width=4))}
    monkeypatch.setattr(architectures, "PRESETS", presets)


@pytest.fixture(scope="module")
def cases(domain_folders):
    """The two domains."""
    return [PreprocessedCases(folder, METADATA.axes) for folder in domain_folders]
