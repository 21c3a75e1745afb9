"""Tables and page of the comparison, from rows made by hand."""

import pytest
from comparison_rows import row

from benchmarks.comparison import tables
from benchmarks.comparison.claims import claims
from benchmarks.comparison.page import BEGIN, END, write_page
from benchmarks.comparison.plan import METHODS
from benchmarks.comparison.results import Results
from benchmarks.comparison.tables import Segmentation

# Two cases and two seeds of three methods; mean Dice of a case is what stands here.
DICE = {
    ("noadapt", 0): (0.0, 0.2), ("noadapt", 1): (0.2, 0.4),
    ("intrastyler", 0): (0.6, 0.7), ("intrastyler", 1): (0.8, 0.9),
    ("oracle", 0): (0.7, 0.8), ("oracle", 1): (0.8, 0.9),
}  # fmt: skip
ROWS = [
    row(method, test_set, f"case_{number}", (value,) * 3, seed)
    for test_set in ("interpolation", "seen sites")
    for (method, seed), values in DICE.items()
    for number, value in enumerate(values)
]


def cells(table: str) -> dict[str, list[str]]:
    """First column of a Markdown table -> the other columns."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {line[0]: line[1:] for line in lines}


def test_overview():
    lines = cells(tables.overview(Segmentation(ROWS), "seen sites"))
    assert lines[""] == ["mean Dice", "median", "worst decile", "failures", "p", "seed 0", "seed 1"]
    # The smallest two-sided p of four pairs is 2 / 2^4.
    assert lines["NoAdapt"] == ["0.200", "0.200", "0.000", "3 of 12", "0.1250", "0.100", "0.300"]
    assert lines["IntraStyler"] == ["0.750", "0.750", "0.600", "0 of 12", "", "0.650", "0.850"]
    assert list(lines)[2:] == ["NoAdapt", "IntraStyler", "Oracle"]


def test_a_small_p_is_given_as_a_bound():
    values = {"noadapt": 0.2, "intrastyler": 0.6}
    rows = [
        row(method, "seen sites", f"case_{number}", (value * (1 + number / 100),) * 3, 0)
        for method, value in values.items()
        for number in range(15)
    ]  # no two differences are equal, so the test is exact: 2 / 2^15 = 0.00006
    assert cells(tables.overview(Segmentation(rows), "seen sites"))["NoAdapt"][4] == "< 0.0001"


def test_tables_by_structure():
    results = Segmentation(ROWS)
    dice = cells(tables.by_structure(results, "seen sites", "dice"))
    assert dice["IntraStyler"] == ["0.750 / 0.750 / 0.600"] * 3
    assd = cells(tables.by_structure(results, "seen sites", "assd"))
    assert assd["NoAdapt"] == ["88.25 / 1.00 / 350.00 (1)"] * 3 + ["2.00 / 2.00 / 2.00"]


def test_test_sets_stand_in_their_own_order():
    assert Segmentation(ROWS).test_sets == ["seen sites", "interpolation"]


def test_claims_are_confirmed_or_refuted_by_the_figures():
    assert [line.split(":")[0] for line in claims(Segmentation(ROWS))] == ["- Confirmed"] * 4
    worse = [dict(row, method={"intrastyler": "noadapt", "noadapt": "intrastyler"}.get(row["method"], row["method"]))
             for row in ROWS]  # fmt: skip
    assert [line.split(":")[0] for line in claims(Segmentation(worse))] == ["- Refuted"] * 4
    oracle = [row for row in ROWS if row["method"] == "oracle"]
    equal = [dict(row, method=method) for row in oracle for method in ("noadapt", "intrastyler")]
    assert [line.split(":")[0] for line in claims(Segmentation(equal))] == ["- Tied"] * 3
    assert claims(Segmentation([row for row in ROWS if row["method"] != "intrastyler"])) == []


def test_claims_count_the_seeds_that_all_methods_have():
    def rows(method: str, seeds: dict[int, tuple[float, float]]) -> list[dict]:
        return [
            row(method, test_set, f"case_{number}", (value,) * 3, seed)
            for seed, values in seeds.items()
            for number, value in enumerate(values)
            for test_set in ("interpolation", "seen sites")
        ]

    # IntraStyler fails in seed 1, which its competitor does not have.
    both = rows("intrastyler", {0: (0.6, 0.7), 1: (0.0, 0.0)}) + rows("noadapt", {0: (0.0, 0.2)})
    lines = claims(Segmentation(both))
    assert len(lines) == 3
    assert all(line.startswith("- Confirmed") for line in lines)
    assert "IntraStyler (0.650)" in lines[0]
    assert "IntraStyler (0) " in lines[2]
    assert "NoAdapt (3)" in lines[2]
    assert claims(Segmentation(rows("intrastyler", {0: (0.6, 0.7)}) + rows("noadapt", {1: (0.0, 0.2)}))) == []


def test_ones_own_test_images_are_tested_once_though_every_seed_has_them():
    def p(seeds: tuple[int, ...]) -> str:
        rows = [
            row(method, "target test images", f"case_{number}", (value * (1 + number / 10),) * 3, seed)
            for method, value in (("noadapt", 0.2), ("intrastyler", 0.6))
            for number in range(5)
            for seed in seeds
        ]
        return cells(tables.overview(Segmentation(rows), "target test images"))["NoAdapt"][4]

    assert p((0,)) == p((0, 1, 2)) == "0.0625"  # 2 / 2^5: five cases of one sign


def test_the_page_says_whether_dice_follows_the_generators_error():
    # Seen sites: NoAdapt 0.1, 0.3, IntraStyler 0.65, 0.85 in the two seeds; on a line with the errors, but for one.
    errors = {("intrastyler", 0): 0.35, ("intrastyler", 1): 0.15, ("none", 0): 3.0, ("unified", 0): 0.5}
    synthesis = [{"synthesizer": key, "seed": seed, "structure_error": e} for (key, seed), e in errors.items()]
    assert tables.does_dice_follow_the_error(Segmentation(ROWS), synthesis) == []
    three = [*synthesis, {"synthesizer": "noadapt", "seed": 0, "structure_error": 0.9}]
    (line,) = tables.does_dice_follow_the_error(Segmentation(ROWS), three)
    assert line.startswith("Over 3 methods and seeds")
    assert "on seen sites is -1.00 (p < 0.0001)" in line
    four = [*three, {"synthesizer": "noadapt", "seed": 1, "structure_error": 0.5}]
    # Sums of products and squares are -0.3075, 0.3425 and 0.3025; with four points p is 1 - |r|.
    (line,) = tables.does_dice_follow_the_error(Segmentation(ROWS), four)
    assert "Over 4 methods and seeds" in line
    assert "is -0.96 (p 0.0447)" in line


def test_page_keeps_the_text_around_the_results(tmp_path):
    results = Results(tmp_path / "results.jsonl")
    for method, seed in DICE:
        own = [row for row in ROWS if (row["method"], row["seed"]) == (method, seed)]
        results.put(own, table="segmentation", method=method, seed=seed)
    results.put([{"reason": "no prediction was good enough"}], table="skipped", method="self-training", seed=1)
    measures = {"error": 0.5, "structure_error": 1.0, "orders_right": 0.75, "style_control": float("nan")}
    results.put([measures], table="synthesis", synthesizer="unified", seed=0)
    cost = {"networks": 3, "steps": 30, "style_warmup": 0, "seconds": 90.0}
    results.put([cost], table="cost", synthesizer="multinets", seed=0)
    for method, seconds in (("oracle", 3600.0), ("noadapt", 1800.0)):
        run = {"seconds": seconds, "machine": "a laptop", "software": "Python"}
        results.put([run], table="run", seed=0, methods=[method])
    results.put([run | {"machine": "a desktop"}], table="run", seed=0, methods=["unified"])
    page = tmp_path / "benchmark.md"
    page.write_text(f"# Title\n\nWhat we found.\n\n{BEGIN}\nold figures\n{END}\n\nWhat to do next.\n")
    write_page(results, "python -m benchmarks.comparison", page)
    first = page.read_text()
    assert first.startswith("# Title\n\nWhat we found.\n")
    assert first.endswith("\n\nWhat to do next.\n")
    assert "old figures" not in first
    assert "`python -m benchmarks.comparison`" in first
    assert "IntraStyler + self-training, seed 1: no prediction was good enough" in first
    assert "| Unified | 0.500 | 1.000 | 0.750 | – |" in first
    assert "| MultiNets | 3 | 30 | 0 | 1.5 |" in first
    assert "| 0 | NoAdapt, Oracle | 1.5 | a laptop | Python |" in first
    assert "| 0 | Unified | 0.5 | a desktop | Python |" in first
    row = {"seed": 1, "methods": list(METHODS), "seconds": 7200.0, "machine": "a server", "software": "Python"}
    assert cells(tables.runs([row]))["1"][:2] == ["all", "2.0"]
    for metric in ("dice", "assd"):
        assert (tmp_path / f"benchmark_{metric}.png").stat().st_size > 10_000
    write_page(results, "python -m benchmarks.comparison", page)
    assert page.read_text() == first


def test_rows_replace_those_of_the_same_keys(tmp_path):
    results = Results(tmp_path / "results.jsonl")
    results.put([{"dice": 0.1}, {"dice": 0.2}], table="segmentation", method="noadapt", seed=0)
    results.put([{"dice": 0.3}], table="segmentation", method="noadapt", seed=1)
    results.put([{"dice": 0.4}], table="segmentation", method="noadapt", seed=0)
    assert [(row["seed"], row["dice"]) for row in results.rows("segmentation")] == [(1, 0.3), (0, 0.4)]
    results.put([], table="segmentation", method="noadapt", seed=0)
    assert [row["seed"] for row in results.rows("segmentation")] == [1]
    assert results.rows("cost") == []


def test_what_has_been_run_is_held(tmp_path):
    results = Results(tmp_path / "results.jsonl")
    results.put([{"seconds": 1.0}], table="run", seed=1, methods=["noadapt"])
    results.put([{"seconds": 2.0}], table="run", seed=1, methods=["slerp", "offline"])
    held = [(key, seed) for key in METHODS for seed in (0, 1) if results.hold(METHODS[key], seed)]
    assert held == [("noadapt", 1), ("slerp", 1), ("offline", 1)]


@pytest.mark.parametrize(("value", "digits", "text"), [(0.1234, 3, "0.123"), (float("nan"), 2, "–"), (12.0, 0, "12")])
def test_numbers(value, digits, text):
    assert tables.number(value, digits) == text
