"""What is said of rows that are known beforehand."""

import pytest

from benchmarks.comparison.adaptation_tables import draw_choices, lines_of, summary
from benchmarks.comparison.results import Results

CANDIDATES = {"before": 0.5, "best checkpoint": 0.48, "interpolation-1": 0.6, "extrapolation-1": 0.45}


def case_row(name: str, test_set: str, dice: float, seconds: float) -> dict:
    structures = {key: {"dice": dice, "assd": 1.0, "penalised": False} for key in ("tumour", "cochlea")}
    return {"case": name, "test_set": test_set, "structures": structures, "seconds": seconds}


@pytest.fixture
def results(tmp_path):
    """Adaptation closes half of the gap in a tenth of the time, and forgets 0.01."""
    results = Results(tmp_path / "results.jsonl")
    for kind, scanner, images, dice, seen, seconds in (
        ("before", "none", 0, 0.5, 0.7, 0.0), ("best checkpoint", "none", 0, 0.48, 0.7, 0.0),
        ("adapted", "interpolation", 1, 0.6, 0.69, 60.0), ("scratch", "interpolation", 3, 0.7, 0.7, 600.0),
        ("adapted", "extrapolation", 1, 0.45, 0.7, 60.0),
    ):  # fmt: skip
        rows = [case_row(f"test_{number}", "interpolation", dice, seconds) for number in range(4)]
        rows += [case_row("far", "extrapolation", 0.05, seconds), case_row("seen", "seen sites", seen, seconds)]
        results.put(rows, table="scores", seed=0, kind=kind, scanner=scanner, images=images)
    for by, first in (("signs", "best checkpoint"), ("labels", "interpolation-1")):
        keys = [first, *(key for key in CANDIDATES if key != first)]
        rows = [
            {"key": key, "first": 0.6, "score": 0.5, "low": 0.4, "high": 0.6,
             "agreement": 0.9 if key == "before" else 0.5} for key in keys
        ]  # fmt: skip
        results.put(rows, table="choice", seed=0, scanner="interpolation", by=by)
    return results


def test_gains_and_what_is_forgotten(results):
    found = {(row["scanner"], row["kind"]): row for row in summary(results)["models"]}
    adapted = found["interpolation", "adapted"]
    assert adapted["dice"] == 0.6
    assert adapted["gap_closed"] == 0.5
    assert adapted["of_scratch_time"] == 0.1
    assert adapted["change_seen"] == -0.01
    assert found["extrapolation", "before"]["failures"] == 1


def test_choices_are_compared_with_the_best(results, tmp_path):
    found = summary(results)
    by = {row["by"]: row for row in found["choices"]}
    assert by["signs"]["picked"] == "best checkpoint"
    assert by["signs"]["lost"] == pytest.approx(0.12)
    assert by["signs"]["lost_by_sign"] == pytest.approx({"by": 0.12, "agreement": 0.1})
    assert not by["signs"]["close"]
    assert by["labels"]["lost"] == 0
    assert "within 0.02 Dice of the best by labels: 1 of 1" in lines_of(found)
    draw_choices(found, tmp_path / "choices.png")
    assert (tmp_path / "choices.png").stat().st_size > 1000
