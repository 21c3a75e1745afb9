"""Recipes: the files of the package, and those of users."""

import json

import pytest

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.pretraining.recipes import configured, read_recipe, recipe_names, resolved

SIZES = {"patch_size": (8, 16, 16), "style_patch_size": (8, 16, 16), "fluid_labels": (3,)}


def config_of(name: str, weights=None, **given) -> PretrainingConfig:
    return configured(resolved(read_recipe(name), weights or {}, given) | SIZES, name)


def test_the_paper_is_what_the_configuration_says_by_itself():
    assert config_of("paper") == PretrainingConfig(**SIZES)


def test_the_released_schedule_by_epochs():
    """600 epochs of 295 steps; weights of consistency and segmentation, learning rate and label hint of its log."""
    config = config_of("released")
    assert config.iterations == 600 * 295
    weights = [config.weights(295 * epoch - 1) for epoch in (1, 150, 151, 300, 301, 450, 451, 600)]
    assert [w["consistency"] for w in weights] == [0, 0, 1, 1, 5, 5, 10, 10]
    assert [w["segmentation"] for w in weights] == [0, 0, 0.5, 0.5, 5, 5, 10, 10]
    assert {(w["style"], w["nce"], w["content"], w["edge"]) for w in weights} == {(5, 1, 0.5, 0)}
    assert (config.learning_rate, config.constant_until, config.betas) == (2e-4, 1, (0.5, 0.999))
    assert read_recipe("released").patch_slices == 8
    assert read_recipe("released").label_hint.tumour_mean == -0.5


@pytest.mark.parametrize("name", recipe_names())
def test_what_is_given_wins(name):
    config = config_of(name, {"nce": 3.0, "consistency": ((0.0, 1.0), (1.0, 2.0))}, preset="mini", iterations=40)
    assert (config.preset, config.iterations) == ("mini", 40)
    assert config.style_warmup < 20
    assert [config.weights(i)["nce"] for i in (0, 40)] == [3, 3]
    assert [config.weights(i)["consistency"] for i in (0, 40)] == [1, 2]


@pytest.mark.parametrize("method", ["unified", "nodiverse"])
@pytest.mark.parametrize("name", recipe_names())
def test_competitors_take_every_recipe(name, method):
    config = config_of(name, method=method)
    assert config.style_warmup == 0
    assert not config.uses("style")
    assert not config.uses("consistency")


@pytest.mark.parametrize(("content", "expected"), [
    ({}, "no entry \"purpose\""),
    ({"purpose": "x", "setting": {}}, 'unknown entry "setting", expected purpose, settings'),
    ({"purpose": "x", "settings": {"lambda_dice": 1}}, 'unknown entry "lambda_dice"'),
    ({"purpose": "x", "settings": {"lambda_nce": "1"}}, 'lambda_nce is "1", expected'),
    ({"purpose": "x", "settings": {"lambda_nce": -1}}, "lambda nce is -1.0, expected 0 or more"),
    ({"purpose": "x", "settings": {"patch_size": [8, 8, 8]}}, "patch_size depends on the data"),
    ({"purpose": "x", "style_patch_share": 1.5}, "style_patch_share is 1.5, expected"),
    ({"purpose": "x", "label_hint": {"tumour": 1}}, 'unknown entry "label_hint.tumour"'),
])  # fmt: skip
def test_files_that_are_no_recipes_are_refused(tmp_path, content, expected):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as refused:
        read_recipe(str(path))
    assert expected in str(refused.value)
    assert "mine.json" in str(refused.value)


@pytest.mark.parametrize(("iterations", "warmup"), [(3500, 1500), (7000, 1500), (1750, 750), (600, 257), (5, 2)])
def test_shorter_runs_warm_up_for_as_long_a_part(iterations, warmup):
    assert config_of("minutes", iterations=iterations).style_warmup == warmup


def test_shorter_runs_of_long_recipes_warm_up_for_a_fifth_at_most():
    assert [config_of("paper", iterations=n).style_warmup for n in (100, 600, 5000, 100_000)] == [20, 120, 1000, 1000]


def test_a_recipe_may_leave_the_warm_up_to_its_length(tmp_path):
    (tmp_path / "short.json").write_text(json.dumps({"purpose": "short", "settings": {"iterations": 800}}))
    assert resolved(read_recipe(str(tmp_path / "short.json")), {}, {})["style_warmup"] < 800


def test_attention_is_asked_for_in_layers_that_are_compared():
    with pytest.raises(InputError, match="attention in layers"):
        configured(SIZES | {"attention_layers": (20,)}, "own")
