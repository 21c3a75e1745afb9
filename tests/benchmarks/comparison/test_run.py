"""The whole comparison at its smallest, through the real commands."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.comparison.__main__ import main
from benchmarks.comparison.checks import checked
from benchmarks.comparison.options import parsed

REPOSITORY = Path(__file__).parents[3]


def benchmark(*options: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.comparison", *map(str, options)],
        cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert finished.returncode == 0, f"{finished.stdout[-3000:]}\n{finished.stderr[-3000:]}"
    return finished.stdout


@pytest.mark.slow
def test_one_method_then_another_then_nothing_left_to_do(tmp_path):
    folder, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    options = ("--scale", "tiny", "--seeds", "1", "--methods", "noadapt")
    benchmark(*options, "-o", folder)
    then = benchmark(*options, "intrastyler", "-o", folder)
    assert "preprocess: done before" in then
    assert "plan_and_preprocess" not in then
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    scored = [(row["method"], row["test_set"]) for row in rows if row["table"] == "segmentation"]
    sets = ("seen sites", "interpolation", "extrapolation", "unseen head")
    assert sorted(scored) == sorted((method, name) for method in ("noadapt", "intrastyler") for name in sets)
    assert {row["synthesizer"] for row in rows if row["table"] == "synthesis"} == {"none", "intrastyler"}
    (cost,) = (row for row in rows if row["table"] == "cost")
    assert (cost["networks"], cost["steps"], cost["style_warmup"]) == (1, 3, 2)
    assert cost["seconds"] > 0
    runs = [row for row in rows if row["table"] == "run"]
    assert [run["methods"] for run in runs] == [["noadapt"], ["intrastyler"]]
    assert runs[1]["seconds"] > cost["seconds"]
    assert "1 threads, cpu" in runs[1]["machine"]
    page = (folder / "benchmark.md").read_text()
    assert all(f"#### {name.capitalize()}" in page for name in sets)

    elsewhere.mkdir()
    shutil.copy(folder / "results.jsonl", elsewhere)
    assert "$ " not in benchmark(*options, "intrastyler", "-o", elsewhere)
    assert (elsewhere / "results.jsonl").read_bytes() == (folder / "results.jsonl").read_bytes()
    assert (elsewhere / "benchmark.md").read_text() == page.replace(str(folder), str(elsewhere))
    assert not (elsewhere / "seed_0").exists()


def test_a_kill_stops_the_running_command_too_and_counts_its_time(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.comparison", "--scale", "tiny", "-o", tmp_path], cwd=REPOSITORY, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    next(line for line in process.stdout if line.startswith("$ nnUNetv2_plan_and_preprocess"))
    process.terminate()
    # The pipe ends when no process holds it any more, neither the benchmark nor its command.
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert json.loads((tmp_path / "seed_0" / "noadapt_wall_time.json").read_text())["seconds"] > 0


def refused(monkeypatch, capsys, *options) -> str:
    """The one line that the command ends with."""
    monkeypatch.setattr(sys, "argv", ["benchmarks.comparison", *map(str, options)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--methods", "noadapt", "oracel"), "'oracel' is not known"),
        (("--dataset", "990"), "--dataset and --target-test belong together"),
        (("--publish", "--dataset", "990", "--target-test", "tests"), "expected no --dataset"),
        (("--subdomain-pattern", "(ldn|etz)"), "expected --dataset, too"),
        (("--quick", "--seeds", "2"), "expected neither --scale nor --seeds"),
        (("--seeds", "0"), "--seeds: found 0, expected a whole number, 1 or more"),
        (("--back",), "unrecognized arguments: --back"),
        (("--background", "--methods", "oracel"), "'oracel' is not known"),
    ],
)
def test_bad_input_is_named(tmp_path, monkeypatch, capsys, options, message):
    assert message in refused(monkeypatch, capsys, "-o", tmp_path, *options)
    assert not any(tmp_path.iterdir())


def test_results_of_another_scale_or_damaged_ones_are_refused(tmp_path, monkeypatch, capsys):
    options = ("-o", str(tmp_path))
    comparison = checked(parsed([*options, "--scale", "tiny"]))
    comparison.results.put([comparison.description], table="comparison")
    assert checked(parsed([*options, "--scale", "tiny", "--seeds", "5"])).seeds == 5
    message = refused(monkeypatch, capsys, *options, "--quick")
    assert f"{tmp_path / 'results.jsonl'}: found results with scale {{'grid': 'tiny'" in message
    with comparison.results.path.open("a") as file:
        file.write('{"table": "segmen')
    assert "not a complete result file" in refused(monkeypatch, capsys, *options, "--scale", "tiny")


def test_scale_and_seeds_that_are_not_given():
    assert (lambda a: (a.scale, a.seeds))(parsed(["-o", "x"])) == ("small", 3)
    assert (lambda a: (a.scale, a.seeds))(parsed(["-o", "x", "--quick"])) == ("quick", 1)
    own = parsed(["-o", "x", "--dataset", "990", "--target-test", "tests", "--seeds", "1"])
    assert (own.scale, own.seeds) == ("full", 1)
