"""The whole comparison at its smallest, through the real commands."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def benchmark(*options: str, expected_code: int = 0) -> subprocess.CompletedProcess:
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.uda", *map(str, options)], cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert finished.returncode == expected_code, f"{finished.stdout[-3000:]}\n{finished.stderr[-3000:]}"
    return finished


@pytest.mark.slow
def test_two_methods_then_nothing_left_to_do(tmp_path):
    options = ("--scale", "tiny", "--seeds", "1", "--methods", "noadapt", "intrastyler", "-o", tmp_path)
    benchmark(*options)
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    scored = [(row["method"], row["test_set"]) for row in rows if row["table"] == "segmentation"]
    sets = ("seen sites", "rare site", "unseen site", "unseen head")
    assert sorted(scored) == sorted((method, name) for method in ("noadapt", "intrastyler") for name in sets)
    assert {row["synthesizer"] for row in rows if row["table"] == "synthesis"} == {"none", "intrastyler"}
    (cost,) = (row for row in rows if row["table"] == "cost")
    assert (cost["networks"], cost["steps"], cost["style_warmup"]) == (1, 3, 2) and cost["seconds"] > 0
    page = (tmp_path / "benchmark.md").read_text()
    assert all(f"#### {name.capitalize()}" in page for name in sets)

    again = benchmark(*options)
    assert "$ " not in again.stdout and "train-intrastyler: done before" in again.stdout
    assert [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()] == rows

    refused = benchmark("--scale", "quick", "-o", tmp_path, expected_code=2)
    assert refused.stderr.count("\n") == 1 and "benchmark.json" in refused.stderr


@pytest.mark.parametrize(
    "options, message",
    [
        (("--methods", "noadapt", "oracel"), "'oracel' is not known"),
        (("--dataset", "990"), "--dataset and --target-test belong together"),
        (("--dataset", "990", "--target-test", "nowhere"), "has no folder imagesTs"),
    ],
)
def test_bad_input_is_named(tmp_path, options, message):
    assert message in benchmark("-o", tmp_path, *options, expected_code=2).stderr
