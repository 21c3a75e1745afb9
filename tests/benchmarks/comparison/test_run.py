"""The whole comparison at its smallest, through the real commands."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from benchmarks.comparison.__main__ import main
from benchmarks.comparison.checks import checked
from benchmarks.comparison.jobs import phases, work_off
from benchmarks.comparison.options import parsed
from benchmarks.comparison.results import Results
from benchmarks.comparison.simulated import TEST_SETS
from intrastyler_nnunet.errors import INTERRUPTED, InputError

REPOSITORY = Path(__file__).parents[3]


def benchmark(*options: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.comparison", *map(str, options)],
        cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert finished.returncode == 0, f"{finished.stdout[-3000:]}\n{finished.stderr[-3000:]}"
    return finished.stdout


@pytest.mark.matrix
def test_one_method_then_another_then_nothing_left_to_do(tmp_path):
    folder, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    options = ("--scale", "tiny", "--seeds", "1", "--methods", "gin")
    benchmark(*options, "-o", folder)
    then = benchmark(*options, "intrastyler", "-o", folder)
    assert "preprocess: done before" in then
    assert "plan_and_preprocess" not in then
    results = Results(folder / "results.jsonl")
    scored = [(row["method"], row["test_set"]) for row in results.rows("segmentation")]
    sets = [name for name, *_ in TEST_SETS]
    assert sorted(scored) == sorted((method, name) for method in ("gin", "intrastyler") for name in sets)
    (judged,) = results.rows("translations")
    assert judged["method"] == "intrastyler"
    assert set(judged["judged"]) == {"target_a", "target_b", "target_m", "all"}
    (floors,) = results.rows("floors")
    assert floors["floors"]["rescan"]["all"]["error"] < judged["judged"]["all"]["error"]
    costs = {(row["kind"], row["method"]): row["seconds"] for row in results.rows("cost")}
    assert set(costs) == {("segmenter", "gin"), ("generator", "intrastyler"), ("segmenter", "intrastyler")}
    assert all(seconds > 0 for seconds in costs.values())
    plan = json.loads((folder / "plan.json").read_text())
    assert [endpoint["measure"] for endpoint in plan["endpoints"] if endpoint["primary"]]
    page = (folder / "benchmark.md").read_text()
    assert all(f"## Segmenters on {name}" in page for name in sets)

    elsewhere.mkdir()
    shutil.copy(results.path, elsewhere)
    assert "$ " not in benchmark(*options, "intrastyler", "-o", elsewhere)
    assert (elsewhere / "results.jsonl").read_bytes() == results.path.read_bytes()
    assert (elsewhere / "benchmark.md").read_text() == page
    assert not (elsewhere / "seed_0").exists()


def test_a_kill_stops_the_running_command_too(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.comparison", "--scale", "tiny", "--methods", "noadapt", "-o", tmp_path],
        cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    next(line for line in process.stdout if line.startswith("$ nnUNetv2_plan_and_preprocess"))
    process.terminate()
    # The pipe ends when no process holds it any more, neither the benchmark nor its workers and their commands.
    process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED


def test_a_piece_that_fails_does_not_stop_the_others(tmp_path):
    done = []

    def failing():
        raise InputError("this one")

    with ThreadPoolExecutor(1) as pool:
        problems = work_off(
            [failing, partial(done.append, 1), partial(done.append, 2)], pool, lambda: done.append("page")
        )
    assert problems == ["this one"]
    assert sorted(map(str, done)) == ["1", "2", "page", "page", "page"]


def test_what_is_left_to_do(tmp_path):
    def left(*options: str) -> list[list[str]]:
        comparison = checked(parsed(["-o", str(tmp_path), "--scale", "tiny", "--seeds", "2", *options]))
        return [[job.func.__name__ for job in jobs] for jobs in phases(comparison)]

    methods = ("--methods", "noadapt", "intrastyler", "slerp")
    data, generators, segmenters = left(*methods)
    assert data == ["judge_floors", "make_tests", "make_data", "make_data"]
    assert generators == ["make_generator"] * 2
    assert segmenters == ["make_segmenter"] * 6
    results = Results(tmp_path / "results.jsonl")
    for method in ("noadapt", "intrastyler", "slerp"):
        for seed in (0, 1):
            results.put([{}], table="segmentation", method=method, seed=seed)
    assert left(*methods)[1] == ["make_generator"] * 2  # they are not judged yet
    results.put([{}], table="translations", method="intrastyler", seed=0)
    assert left(*methods) == [["judge_floors", "make_data"], ["make_generator"], []]
    results.put([{}], table="translations", method="intrastyler", seed=1)
    assert left(*methods) == [[], [], []]
    assert left("--methods", "balanced")[1] == ["make_generator"] * 2


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
    comparison.results.start(comparison.description)
    assert checked(parsed([*options, "--scale", "tiny", "--seeds", "5"])).seeds == 5
    message = refused(monkeypatch, capsys, *options)
    assert f"{tmp_path / 'results.jsonl'}: found results with scale {{'grid': 'tiny'" in message
    with comparison.results.path.open("a") as file:
        file.write('{"table": "segmen')
    assert "not a complete result file" in refused(monkeypatch, capsys, *options, "--scale", "tiny")


def test_a_scale_that_is_not_given():
    assert parsed(["-o", "x"]).scale == "small"
    assert parsed(["-o", "x", "--dataset", "990", "--target-test", "tests"]).scale == "full"
