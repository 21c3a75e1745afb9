"""The judge: within-scanner statistics against their formulas, and translators whose rank is known."""

import json

import numpy as np
import pytest
from scipy.stats import linregress

from benchmarks.quality import judge as judge_module
from benchmarks.quality.contrast_measures import MEASURES
from benchmarks.quality.judge import floors, judged, judged_pairs, read_translators
from benchmarks.quality.perfect_translators import ONE_STYLE, RESCAN, SUB_DATASET, through_windows
from benchmarks.quality.within_scanners import MeasuredStyles
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import preset
from intrastyler_nnunet.model.generator import Generator

SITES = {"target_a", "target_b", "target_m"}


@pytest.fixture(scope="module")
def pairs():
    return judged_pairs(77, 20, "tiny")


@pytest.fixture(scope="module")
def perfect(pairs):
    return floors(pairs, None)


def styles(made: np.ndarray, wanted: np.ndarray, scanners: np.ndarray) -> MeasuredStyles:
    columns = [np.repeat(values[:, None], len(MEASURES), axis=1) for values in (made, wanted)]
    return MeasuredStyles(*columns, scanners)


def test_a_translator_that_knows_the_scanner_alone_has_no_control_within_it():
    rng = np.random.default_rng(0)
    scanners = np.repeat(["late", "early", "balanced"], 200)
    centre = np.repeat([0.0, 2.0, 5.0], 200)
    wanted, made = centre + rng.normal(0, 0.2, 600), centre + 0.3 + rng.normal(0, 0.2, 600)
    assert np.corrcoef(made, wanted)[0, 1] > 0.95  # what clusters make of it
    control = styles(made, wanted, scanners).control()
    assert abs(control["within_r"]["csf"]) < 0.12
    assert abs(control["slope"]["csf"]) < 0.12
    assert control["offset"]["csf"] == pytest.approx(0.3, abs=0.03)


def test_slope_offset_and_correlation_are_those_of_regression():
    rng = np.random.default_rng(1)
    wanted = rng.normal(size=50)
    made = 0.6 * wanted + 0.1 + rng.normal(0, 0.3, 50)
    control = styles(made, wanted, np.full(50, "one")).control()
    expected = linregress(wanted, made)
    assert control["slope"]["noise"] == pytest.approx(expected.slope)
    assert control["within_r"]["noise"] == pytest.approx(expected.rvalue)
    assert control["offset"]["noise"] == pytest.approx(np.mean(made - wanted))
    # Scanners of other levels change neither slope nor correlation.
    shift = np.repeat([0.0, 9.0], 25)
    mean = np.concatenate([np.full(25, wanted[:25].mean()), np.full(25, wanted[25:].mean())])
    split = styles(made + shift, wanted, np.repeat(["one", "two"], 25)).control()
    level = np.concatenate([np.full(25, made[:25].mean()), np.full(25, made[25:].mean())])
    assert split["slope"]["noise"] == pytest.approx(linregress(wanted - mean, made - level).slope)


def test_rows_without_a_tumour_do_not_count():
    made, wanted = np.array([1.0, 2.0, np.nan, 4.0]), np.array([1.0, 2.0, 3.0, 4.0])
    control = styles(made, wanted, np.full(4, "one")).control()
    assert control["within_r"]["tumour"] == pytest.approx(1)
    assert control["offset"]["tumour"] == 0


def test_every_measure_is_there_by_sub_dataset_and_for_all(perfect):
    assert set(perfect) == {RESCAN, SUB_DATASET, ONE_STYLE}
    for by_site in perfect.values():
        assert set(by_site) == SITES | {"all"}
        for row in by_site.values():
            assert set(row) == {"error", "error_structures", "orders_right", "slope", "offset", "within_r"}
            assert set(row["slope"]) == set(row["offset"]) == set(row["within_r"]) == set(MEASURES)


def test_who_knows_more_is_closer_to_the_truth(perfect):
    for name in ("error", "error_structures"):
        assert perfect[RESCAN]["all"][name] < perfect[SUB_DATASET]["all"][name]
    assert perfect[SUB_DATASET]["all"]["error"] <= perfect[ONE_STYLE]["all"]["error"]
    assert perfect[SUB_DATASET]["target_m"]["error"] > 0.1 + perfect[RESCAN]["target_m"]["error"]


def test_a_rescan_alone_follows_exemplars_within_scanners(perfect):
    mean = {name: np.mean(list(by_site["all"]["within_r"].values())) for name, by_site in perfect.items()}
    assert mean[RESCAN] > 0.25 + max(mean[SUB_DATASET], mean[ONE_STYLE])


def test_the_truth_has_no_error(pairs):
    results = judged([pair.truth for pair in pairs], pairs, None)
    assert results["all"]["error"] == results["all"]["error_structures"] == 0
    assert results["all"]["orders_right"] == 1


def test_an_image_through_its_own_windows_loses_what_lies_beyond_alone(pairs):
    exemplar = pairs[0].exemplar
    low, high = exemplar.window
    np.testing.assert_allclose(through_windows(exemplar, exemplar), np.clip(exemplar.volume, low, high), atol=1e-4)


def test_the_same_seed_gives_the_same_pairs(pairs):
    again = judged_pairs(77, 20, "tiny")
    for one, other in zip(pairs, again, strict=True):
        np.testing.assert_array_equal(one.truth, other.truth)
    assert len({pair.exemplar.scan.scanner for pair in pairs}) == 9


def test_bad_input_is_refused_in_a_line(tmp_path):
    with pytest.raises(InputError, match="--pairs 1: expected 2 or more"):
        judged_pairs(0, 1)
    path = tmp_path / "g.safetensors"
    Generator(preset("mini")[0]).save(path)
    assert set(read_translators([str(path)])) == {""}
    with pytest.raises(InputError, match="no generator for target_b, target_m"):
        read_translators([f"target_a={path}"])


def test_the_command_writes_the_floors(tmp_path, monkeypatch, capsys, pairs):
    monkeypatch.setattr(judge_module, "judged_pairs", lambda seed, count: pairs)
    monkeypatch.setattr(judge_module, "frozen_segmenter", lambda: None)
    monkeypatch.setattr("sys.argv", ["judge", "--pairs", "20", "-o", str(tmp_path / "j.json")])
    judge_module.main()
    written = json.loads((tmp_path / "j.json").read_text())
    assert set(written["floors"]) == {RESCAN, SUB_DATASET, ONE_STYLE}
    assert "rescan" in capsys.readouterr().out
