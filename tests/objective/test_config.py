"""Loss weights over the progress."""

import pytest

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.objective.config import PretrainingConfig, parse_weight, weight_at

SIZES = {"preset": "mini", "patch_size": (8, 16, 16), "style_patch_size": (8, 12, 12)}


def test_linear_between_points_and_constant_outside():
    _, schedule = parse_weight("consistency=0.2:0,0.6:4")
    assert [weight_at(schedule, p) for p in (0, 0.2, 0.3, 0.5, 0.6, 1)] == pytest.approx([0, 0, 1, 3, 4, 4])


def test_two_points_at_one_place_are_a_step():
    _, schedule = parse_weight("consistency=0.25:0,0.25:1,0.5:1,0.5:5")
    assert [weight_at(schedule, p) for p in (0, 0.2499, 0.25, 0.4999, 0.5, 1)] == [0, 0, 1, 1, 5, 5]


def test_a_schedule_replaces_its_weight_alone():
    schedules = dict(map(parse_weight, ["consistency=0:0,1:10", "edge=0:1,0.5:0"]))
    config = PretrainingConfig(**SIZES, iterations=1100, style_warmup=100, schedules=schedules)
    weights = {iteration: config.weights(iteration) for iteration in (0, 100, 350, 1100)}
    assert [w["consistency"] for w in weights.values()] == pytest.approx([0, 0, 2.5, 10])
    assert [w["edge"] for w in weights.values()] == pytest.approx([1, 1, 0.5, 0])
    assert {(w["style"], w["nce"], w["adversarial"]) for w in weights.values()} == {(5.0, 1.0, 1.0)}
    assert config.uses("edge")
    assert not config.uses("segmentation")


@pytest.mark.parametrize(("text", "expected"), [
    ("nce", "expected TERM=WEIGHT or TERM=PROGRESS:WEIGHT"),
    ("nce=0:1,x", "expected TERM=WEIGHT or TERM=PROGRESS:WEIGHT"),
    ("dice=0:1", "expected one of style, nce, adversarial"),
    ("nce=0.5:1,0.4:2", "expected ascending values from 0 to 1"),
    ("nce=0:1,1.5:2", "expected ascending values from 0 to 1"),
    ("nce=0:-1", "a weight is negative"),
    ("nce=0:nan", "expected finite numbers"),
    ("nce=nan:1", "expected finite numbers"),
    ("nce=0:1e999", "expected finite numbers"),
])  # fmt: skip
def test_bad_schedules_are_refused(text, expected):
    with pytest.raises(InputError, match=expected):
        PretrainingConfig(**SIZES, iterations=1100, schedules=dict([parse_weight(text)]))


@pytest.mark.parametrize(("contradiction", "expected"), [
    ({"method": "unified", "style_warmup": 0, "schedules": {"consistency": ((0, 1),)}}, "no schedule of consistency"),
    ({"lambda_style": 0.0}, "without style contrast in the beginning, expected 0 steps"),
    ({"schedules": {"style": ((0, 0), (0.3, 5))}}, "without style contrast in the beginning"),
    ({"lambda_nce": 2.0, "schedules": {"nce": ((0, 1),)}}, "lambda nce 2.0 and a schedule, expected one"),
    ({"held_out": -1}, "held out is -1, expected 0 or more"),
    ({"seed": -1}, "seed is -1, expected from 0 to 4294967295"),
    ({"lambda_nce": -0.5}, "lambda nce is -0.5, expected 0 or more"),
    ({"learning_rate": 0.0}, "learning rate is 0.0, expected more than 0"),
    ({"lambda_fluid": 5.0}, "a fluid term without labels of fluid"),
    ({"schedules": {"fluid": ((0, 5),)}}, "a fluid term without labels of fluid"),
])  # fmt: skip
def test_contradictions_are_refused(contradiction, expected):
    with pytest.raises(InputError, match=expected):
        PretrainingConfig(**SIZES, iterations=1100, **contradiction)
