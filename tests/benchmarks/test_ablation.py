"""The ablation's bookkeeping and its real trainings, of a step each."""

import sys

import pytest

from benchmarks import ablation, t2_segmenter
from intrastyler_nnunet.files import read_json


def ablate(monkeypatch, folder, *options, steps="1"):
    monkeypatch.setattr(t2_segmenter, "IMAGES", 2)  # ninety take a minute
    monkeypatch.setattr(sys, "argv", [
        "ablation", str(folder), "-d", "998", "-c", "tiny", "--steps", steps, "--style-warmup", "1", "--sources", "1",
        "--segmenter-steps", "1", "--cache", str(folder), "-o", str(folder / "ablation.json"), *options,
        "--", "-device", "cpu", "-np", "0", "--preset", "mini",
    ])  # fmt: skip
    ablation.main()
    return read_json(folder / "ablation.json")


def test_variants_differ_in_what_they_say_and_results_come_one_at_a_time(own_dataset, tmp_path, monkeypatch):
    first = ablate(monkeypatch, tmp_path, "--only", "full")
    both = ablate(monkeypatch, tmp_path, "--only", "no_style_contrast")
    assert list(both["variants"]) == ["full", "no_style_contrast"]
    assert both["variants"]["full"] == first["variants"]["full"]
    full, without = (read_json(tmp_path / name / "config.json") for name in both["variants"])
    assert {key for key in full if full[key] != without[key]} == {"lambda_style", "style_warmup", "iterations"}
    assert full["iterations"] - full["style_warmup"] == without["iterations"] - without["style_warmup"] == 1
    with pytest.raises(SystemExit, match="made with"):
        ablate(monkeypatch, tmp_path, "--only", "full", steps="2")
    assert read_json(tmp_path / "ablation.json") == both
