"""The ablation's bookkeeping and its real trainings, of a step each."""

import json
import sys

import numpy as np
import pytest

from benchmarks.comparison import ablation
from benchmarks.quality import t2_segmenter
from benchmarks.quality.simulated_pairs import held_out_pairs, translated
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.translation.translator import Translator


def ablate(monkeypatch, folder, *options, steps="1"):
    monkeypatch.setattr(t2_segmenter, "IMAGES", 2)  # ninety take a minute
    monkeypatch.setattr(sys, "argv", [
        "ablation", str(folder), "-d", "998", "-c", "tiny", "--steps", steps, "--style-warmup", "1", "--sources", "1",
        "--segmenter-steps", "1", "--cache", str(folder), "-o", str(folder / "ablation.json"), *options,
        "--", "-device", "cpu", "-np", "0", "--preset", "mini",
    ])  # fmt: skip
    ablation.main()
    return json.loads((folder / "ablation.json").read_text())


def test_variants_differ_in_what_they_say_and_results_come_one_at_a_time(own_dataset, tmp_path, monkeypatch):
    first = ablate(monkeypatch, tmp_path, "--only", "full")
    both = ablate(monkeypatch, tmp_path, "--only", "no_style_contrast")
    assert list(both["variants"]) == ["full", "no_style_contrast"]
    assert both["variants"]["full"] == first["variants"]["full"]
    full, without = (json.loads((tmp_path / name / "config.json").read_text()) for name in both["variants"])
    assert {key for key in full if full[key] != without[key]} == {"lambda_style", "style_warmup", "iterations"}
    assert full["iterations"] - full["style_warmup"] == without["iterations"] - without["style_warmup"] == 1
    with pytest.raises(SystemExit, match="made with"):
        ablate(monkeypatch, tmp_path, "--only", "full", steps="2")
    assert json.loads((tmp_path / "ablation.json").read_text()) == both


def test_the_competitors_are_scored_with_the_codes_of_the_sites(own_dataset, tmp_path, monkeypatch):
    cases = [{"case": f"target_{number}", "site": f"target_{letter}"} for number, letter in enumerate("abc")]
    write_json({"cases": cases}, own_dataset.raw / "sites.json")
    variants = ablate(monkeypatch, tmp_path, "--only", "unified", "nodiverse")["variants"]
    pairs = held_out_pairs(1, 1, "tiny")  # one source, an exemplar of every site
    for name, styles in (("unified", 3), ("nodiverse", 1)):
        assert json.loads((tmp_path / name / "config.json").read_text())["style_warmup"] == 0
        assert "style_encoder" not in variants[name]
        assert variants[name]["error"] > 0
        translator = Translator(Generator.load(tmp_path / name / "generator.safetensors"))
        images = [translated(translator, pair.source, pair.exemplar) for pair in pairs]
        lows, highs = zip(*(pair.exemplar.window for pair in pairs), strict=True)
        first, *others = [(i - low) / (high - low) for i, low, high in zip(images, lows, highs, strict=True)]
        assert len(others) == 2
        assert sum(np.abs(other - first).max() > 1e-4 for other in others) == styles - 1
