"""The code in the documentation runs."""

import re
import runpy
from pathlib import Path

import pytest
import torch
from tiny_dataset import tiny_generator

from intrastyler_nnunet.styles.bank import StyleBank

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENT = DOCS / "python.md"
EXAMPLES = dict(re.findall(r"## (\w+)\n\n```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL))


@pytest.fixture
def generator_folder(tmp_path, monkeypatch):
    tiny_generator().save(tmp_path / "generator.safetensors")
    vectors = torch.nn.functional.normalize(torch.randn(3, 8))
    windows = torch.tensor([[-3.0, -2.0], [5.0, 9.0], [20.0, 21.0]])
    StyleBank(("a", "b", "c"), vectors, windows, torch.zeros(3)).save(tmp_path / "style_bank.safetensors")
    monkeypatch.chdir(tmp_path)
    return windows


def test_pytorch_example(generator_folder):
    names: dict = {}
    exec(EXAMPLES["PyTorch"], names)
    assert names["translated"].shape == names["volumes"].shape
    for image, exemplar in zip(names["translated"], names["drawn"], strict=True):
        low, high = generator_folder[exemplar]
        assert low <= image.min()
        assert image.max() <= high
        assert image.std() > 0


def test_monai_example(generator_folder):
    names: dict = {}
    exec(EXAMPLES["MONAI"], names)
    image = names["result"]["image"]
    assert image.shape == (1, 16, 24, 32)
    assert image.min() == 0
    assert image.max() == 1
    translate = names["transform"].transforms[1]
    source = {"image": torch.randn(1, 16, 24, 32)}
    seen = {round(float(translate(source)["image"].mean())) for _ in range(20)}
    assert len(seen) == 3  # three exemplars with intensities far apart
    translate.prob = 0.0
    assert translate(source) is source


def test_the_page_of_the_pretraining_says_what_the_configuration_says():
    made = runpy.run_path(str(DOCS / "tables.py"))["page"]()
    assert made == (DOCS / "pretraining.md").read_text(), "run python docs/tables.py"
