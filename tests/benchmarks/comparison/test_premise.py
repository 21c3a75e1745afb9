"""The premise, measured: shares of variance by their formula, and the file that is shipped."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.comparison.premise import TISSUES_AND_NOISE, classifier_accuracy, shares
from benchmarks.quality.contrast_measures import MEASURES

RESULT = Path(__file__).parents[3] / "benchmarks" / "results" / "premise.json"


def test_share_of_variance_is_that_of_an_analysis_of_variance():
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b"], 20_000)
    values = np.repeat(rng.normal(size=(40_000, 1)) + 2 * (groups == "b")[:, None], len(MEASURES), axis=1)
    found = shares(values, groups)
    # Two groups a distance of 2 apart, of unit variance within: between them lies (2 / 2)^2 = 1 of 2.
    assert found["csf"] == pytest.approx(0.5, abs=0.01)
    values[3, 2] = np.nan
    assert shares(values, groups)["tumour"] == pytest.approx(0.5, abs=0.01)


def test_a_classifier_names_what_differs_and_guesses_what_does_not():
    rng = np.random.default_rng(1)
    groups, values = np.repeat(["a", "b"], 150), rng.normal(size=(300, len(MEASURES)))
    assert classifier_accuracy(values, groups) == pytest.approx(0.5, abs=0.1)
    values[groups == "b", 4] += 8
    assert classifier_accuracy(values, groups) > 0.98


def test_the_shipped_result_has_the_premise():
    result = json.loads(RESULT.read_text())
    assert all(result["site_share"][name] <= 0.45 for name in TISSUES_AND_NOISE)
    assert result["headroom"]["target_m"]["image"] >= 0.10
    assert set(result["headroom"]) == {"target_a", "target_b", "target_m", "all"}
    assert result["classifier_accuracy"] < result["former"]["classifier_accuracy"]
    assert result["seconds_per_volume"] > 0
