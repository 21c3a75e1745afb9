"""Verdicts, tables and page of the comparison, from rows made by hand."""

import json

import numpy as np
import pytest
from comparison_rows import judged_row, row

from benchmarks.comparison import tables
from benchmarks.comparison.ceiling_table import ceiling_sections
from benchmarks.comparison.endpoints import PRIMARY, SEGMENTATION, TRANSLATIONS, claims_of, endpoints_of
from benchmarks.comparison.page import CEILING, LADDER, PAGE, page
from benchmarks.comparison.plan import METHODS
from benchmarks.comparison.results import Results
from benchmarks.comparison.tables import NAMES
from benchmarks.comparison.verdicts import values_of, verdicts
from intrastyler_nnunet.errors import InputError

ENDPOINTS = endpoints_of(own_data=False)
NOISE = (0.0, 0.01, -0.01)  # of three seeds


@pytest.fixture
def results(tmp_path):
    """Three seeds: IntraStyler has more style control than NoDiverse and a larger error, and is like Unified."""
    results = Results(tmp_path / "results.jsonl")
    results.put([{"dataset": None}], table="comparison")
    level = {"intrastyler": (0.8, 0.50), "nodiverse": (0.2, 0.30), "unified": (0.8, 0.501)}
    for number, (method, (style, error)) in enumerate(level.items()):
        for seed in range(3):
            noise = NOISE[(seed + number) % 3]
            made = judged_row(method, seed, style + noise, error + noise)
            results.put([made], table=TRANSLATIONS, method=method, seed=seed)
            scored = [row(method, "seen scanners", f"case_{n}", (style + noise,) * 3, seed) for n in range(2)]
            results.put(scored, table=SEGMENTATION, method=method, seed=seed)
            cost = {"seconds": 90.0, "machine": "a laptop", "software": "Python"}
            results.put([cost], table="cost", kind="generator", method=method, seed=seed)
    return results


def cells(table: str) -> dict[str, list[str]]:
    """First column of a Markdown table -> the other columns."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {line[0]: line[1:] for line in lines}


def words(results: Results) -> dict[tuple[str, str, str], str]:
    found = verdicts(results, ENDPOINTS)
    return {(v.claim.method, v.claim.rival, v.claim.endpoint.name): v.word for v in found}


def test_an_interval_without_zero_confirms_or_refutes_and_another_does_neither(results):
    found = words(results)
    style, error = "style control within scanners", "error on sub-dataset m"
    assert found["intrastyler", "nodiverse", style] == "confirmed"
    assert found["intrastyler", "nodiverse", error] == "refuted"
    assert found["intrastyler", "unified", style] == "undecided"
    assert found["intrastyler", "unified", error] == "undecided"
    assert found["intrastyler", "nodiverse", "Dice, seen scanners"] == "confirmed"
    assert not any("multinets" in pair for *pair, _ in found)


def test_undecided_says_how_many_seeds_it_would_take(results):
    (verdict,) = (v for v in verdicts(results, ENDPOINTS) if v.claim.rival == "unified" and v.claim.endpoint.primary
                  and v.claim.endpoint.measure == "error")  # fmt: skip
    assert verdict.interval.estimate == pytest.approx(-0.001)
    assert verdict.needed > 100
    assert f"undecided, {verdict.needed} seeds" in tables.differences([verdict])


def test_values_are_one_for_each_generator(results):
    values = {e.name: values_of(results, e) for e in ENDPOINTS}
    assert values["style control within scanners"]["nodiverse", 1] == pytest.approx(0.2 - 0.01)
    assert values["error in tumour and cochleae"]["intrastyler", 0] == pytest.approx(1.0)
    assert values["intra-meatal Dice, seen scanners"]["intrastyler", 1] == pytest.approx(0.81)
    assert values["boundary ASSD (mm), seen scanners"]["intrastyler", 1] == 2.0
    assert set(values["Dice, seen scanners"]) == {
        (m, s) for m in ("intrastyler", "nodiverse", "unified") for s in range(3)
    }


def test_means_over_seeds_and_their_deviation(results):
    lines = cells(tables.means(results, tables.of_table(ENDPOINTS, TRANSLATIONS), NAMES))
    assert list(lines)[2:] == ["NoDiverse", "Unified", "IntraStyler"]
    assert lines["IntraStyler"][:3] == ["3", "0.800 (0.010)", "0.500 (0.010)"]


def test_the_first_lines_of_the_page_say_what_was_decided(results, tmp_path):
    text = page(results.path, tmp_path / "none.jsonl")
    first = text.partition("## ")[0]
    assert "**Decided**, with 3 seeds" in first
    assert "- Confirmed: IntraStyler better than NoDiverse in style control within scanners" in first
    assert "- Refuted: IntraStyler better than NoDiverse in error on sub-dataset m" in first
    assert first.index("**Not decided**") < first.index("- Undecided: IntraStyler better than Unified in error")
    assert "seeds would decide it" in first
    assert "MultiNets" not in first
    assert "| generator | 9 | 1.5 | 0.2 | a laptop | Python |" in text
    assert "## Segmenters on seen scanners" in text
    assert "interpolation" not in text.partition("## How long")[2]
    assert "p =" not in text


def test_without_results_the_page_says_so(tmp_path):
    text = page(tmp_path / "none.jsonl", tmp_path / "none.jsonl")
    assert "**Nothing is decided yet**" in text
    assert all(f"{measure}" in text for measure, _ in PRIMARY)


def test_the_page_is_made_from_the_result_files():
    assert PAGE.read_text() == page(LADDER, CEILING), "run python -m benchmarks.comparison.page"


def test_endpoints_are_stated_and_every_claim_has_names():
    primary = [endpoint.name for endpoint in ENDPOINTS if endpoint.primary]
    assert primary == ["style control within scanners", "error on sub-dataset m"]
    claims = claims_of(ENDPOINTS)
    assert all({claim.method, claim.rival} <= NAMES.keys() for claim in claims)
    assert len(set(claims)) == len(claims)
    judged = {claim.rival for claim in claims if claim.endpoint.table == TRANSLATIONS}
    assert judged == {
        "nodiverse", "multinets", "unified", "nodiverse-plain", "multinets-plain", "unified-plain", "intrastyler-plain",
    }  # fmt: skip
    segmenters = {key for claim in claims for key in (claim.method, claim.rival)}
    assert segmenters == METHODS.keys() - {"oracle"}
    own = endpoints_of(own_data=True)
    assert all(endpoint.table == SEGMENTATION for endpoint in own)
    assert [endpoint.measure for endpoint in own if endpoint.primary] == ["Dice"]


def test_the_ceiling_says_what_seeds_can_separate(tmp_path):
    results = Results(tmp_path / "ceiling.jsonl")
    rng = np.random.default_rng(0)
    for kind, level in (("rescan", 0.7), ("sub_dataset", 0.6), ("one_style", 0.5)):
        for seed in range(10):
            value = level + rng.normal(0, 0.02)
            rows = [row(kind, name, "case", (value,) * 3, seed) for name in ("seen scanners", "interpolation")]
            results.put(rows, table=SEGMENTATION, method=kind, seed=seed)
    text = "\n".join(ceiling_sections(results))
    assert "| perfect, of the exemplar's scanner | 10 | 0.7" in text
    deviation, ten = (
        next(line.split("|")[2].split()[0] for line in text.splitlines() if line.startswith(f"| {start}"))
        for start in ("deviation", "separable with 10")
    )
    assert float(deviation) == pytest.approx(0.02, abs=0.008)
    assert float(ten) == pytest.approx(2.1 * float(deviation) * np.sqrt(2 / 10), abs=0.002)  # t of 18 degrees is 2.10
    assert ceiling_sections(Results(tmp_path / "none.jsonl")) == []


def test_rows_replace_those_of_the_same_keys(tmp_path):
    results = Results(tmp_path / "results.jsonl")
    results.put([{"dice": 0.1}, {"dice": 0.2}], table="segmentation", method="noadapt", seed=0)
    results.put([{"dice": 0.3}], table="segmentation", method="noadapt", seed=1)
    results.put([{"dice": 0.4}], table="segmentation", method="noadapt", seed=0)
    assert [(row["seed"], row["dice"]) for row in results.rows("segmentation")] == [(1, 0.3), (0, 0.4)]
    assert results.hold("segmentation", "noadapt", 1)
    assert not results.hold("segmentation", "noadapt", 2)
    assert not results.hold("translations", "noadapt", 1)


def test_results_of_another_plan_are_refused(tmp_path):
    results = Results(tmp_path / "results.jsonl")
    plan = {"scale": "tiny", "endpoints": [json.loads(json.dumps("style"))]}
    results.start(plan)
    results.start(plan)
    assert len(results.rows("comparison")) == 1
    with pytest.raises(InputError, match=r"found results with endpoints \['style'\], expected \['Dice'\]"):
        results.start(plan | {"endpoints": ["Dice"]})


@pytest.mark.parametrize(("value", "digits", "text"), [(0.1234, 3, "0.123"), (float("nan"), 2, "–"), (12.0, 0, "12")])
def test_numbers(value, digits, text):
    assert tables.number(value, digits) == text
