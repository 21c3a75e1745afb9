"""The ceiling at its smallest: what it trains on, and that a stopped one goes on."""

import sys

import numpy as np
import pytest

from benchmarks.comparison import ceiling
from benchmarks.comparison.results import Results
from benchmarks.quality.judge import judged_pairs

SMALL = {"steps": 1, "pairs": 18, "tests": 1, "scale": "tiny"}


@pytest.fixture(scope="module")
def images():
    return ceiling.training_images(0, SMALL["pairs"], "tiny")


def test_kinds_differ_in_what_they_know_of_the_exemplar(images):
    pairs = judged_pairs(ceiling.FIRST_SEED, SMALL["pairs"], "tiny")
    errors = {
        kind: np.mean([np.abs(volume - pair.truth).mean() for (volume, _), pair in zip(made, pairs, strict=True)])
        for kind, made in images.items()
    }
    assert errors["rescan"] < errors["sub_dataset"] <= errors["one_style"]
    for made in images.values():
        for (_, labels), pair in zip(made, pairs, strict=True):
            np.testing.assert_array_equal(labels, pair.source.anatomy.labels)


def test_a_stopped_ceiling_trains_what_is_left(images, tmp_path, monkeypatch):
    monkeypatch.setattr(ceiling, "training_images", lambda *_: images)
    results, trained = Results(tmp_path / "ceiling.jsonl"), []

    def fit(network, volumes, steps, seed, weights, columns):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(volumes)

    monkeypatch.setattr(ceiling, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        ceiling.train_kinds(results, 0, **SMALL)
    assert [row["method"] for row in results.rows("cost")] == ["rescan", "sub_dataset"]
    before = results.rows("segmentation")
    trained.clear()
    ceiling.train_kinds(results, 0, **SMALL)
    assert trained == [images["one_style"]]
    assert results.rows("segmentation")[: len(before)] == before
    assert len(results.rows("segmentation")) == 3 * 3  # kinds and test sets, of an image each
    ceiling.train_kinds(results, 0, **SMALL)
    assert len(trained) == 1


def test_networks_of_one_seed_begin_alike_and_are_tested_on_the_same_images(images, tmp_path, monkeypatch):
    monkeypatch.setattr(ceiling, "training_images", lambda *_: images)
    monkeypatch.setattr(ceiling, "fit", lambda *_, **__: None)
    results = Results(tmp_path / "ceiling.jsonl")
    for seed in (0, 1):
        ceiling.train_kinds(results, seed, **SMALL)
    scores = {
        (row["method"], row["seed"]): row["structures"]
        for row in results.rows("segmentation")
        if row["test_set"] == "interpolation"
    }
    assert scores["rescan", 0] == scores["one_style", 0]
    assert scores["rescan", 0] != scores["rescan", 1]


@pytest.mark.matrix
def test_the_command_trains_two_seeds_and_prints_the_table(tmp_path, monkeypatch, capsys):
    options = ("--seeds", "2", "--steps", "1", "--pairs", "18", "--tests", "1", "--scale", "tiny", "--processes", "1")
    monkeypatch.setattr(sys, "argv", ["ceiling", *options, "-o", str(tmp_path / "ceiling.jsonl")])
    ceiling.main()
    printed = capsys.readouterr().out
    assert "## What a comparison can show" in printed
    assert "separable with 10 seeds" in printed
    assert len(Results(tmp_path / "ceiling.jsonl").rows("cost")) == 6
