"""Styles of image files against those of the same images in the style bank."""

import json

import numpy as np
import pytest
import torch

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.styles.bank import StyleBank

CONFIG = GeneratorConfig(width=2, residual_blocks=1, style_width=4, style_dim=8)


@pytest.fixture
def options(own_dataset, tmp_path):
    torch.manual_seed(0)
    Generator(CONFIG).save(tmp_path / "generator.safetensors")
    return ["-d", "998", "-c", "tiny", "-device", "cpu", "-g", str(tmp_path / "generator.safetensors"),
            "-i", str(own_dataset.raw / "imagesTarget")]  # fmt: skip


def bank_of(dataset) -> StyleBank:
    folder = dataset.root / "nnUNet_results" / "Dataset998_Tiny" / "IntraStyler__nnUNetPlans__tiny"
    return StyleBank.load(folder / "style_bank.safetensors")


def test_image_files_have_the_styles_of_their_preprocessed_cases(own_dataset, options, tmp_path):
    main(["embed", *options, "-o", str(tmp_path / "styles")])
    written = np.load(tmp_path / "styles" / "styles.npz")
    bank = bank_of(own_dataset)
    assert written["names"].tolist() == list(bank.names)
    np.testing.assert_allclose(written["vectors"], bank.vectors.numpy(), atol=1e-5)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "styles" / "vectors.tsv"), written["vectors"], atol=1e-5)
    assert (tmp_path / "styles" / "metadata.tsv").read_text().split() == list(bank.names)


def test_exemplars_cover_themselves(own_dataset, options, tmp_path, capsys):
    main(["coverage", *options, "-o", str(tmp_path / "coverage.json")])
    result = json.loads((tmp_path / "coverage.json").read_text())
    assert {row["case"]: row["nearest"] for row in result["images"]} == {n: n for n in bank_of(own_dataset).names}
    assert max(row["degrees"] for row in result["images"]) < 0.1
    assert "0 of 3 images outside" in capsys.readouterr().out


def test_a_generator_without_style_encoder_is_refused(own_dataset, options, tmp_path, capsys):
    Generator(GeneratorConfig(width=2, residual_blocks=1, style_width=0, style_dim=1)).save(
        tmp_path / "generator.safetensors"
    )
    with pytest.raises(SystemExit) as stopped:
        main(["embed", *options, "-o", str(tmp_path / "styles")])
    assert stopped.value.code == 2
    assert "expected one with a style encoder" in capsys.readouterr().err
