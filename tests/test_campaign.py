"""A short part of `python -m tests.campaign`, which tries all commands and faults."""

import os

import pytest
from campaign.random_damage import damage_at_random
from campaign.situation import end_of, run_situation
from campaign.situations import all_situations
from campaign.workplace import ENVIRONMENT, copy, downloaded, make_workplace

RANDOM = 24  # files of each kind; the campaign has 500


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder, variables = os.getcwd(), {name: os.environ.get(name) for name in ENVIRONMENT}
    root = tmp_path_factory.mktemp("campaign") / "template"
    make_workplace(root)
    yield root
    os.chdir(folder)
    for name, value in variables.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def test_one_situation_of_each_family_is_clean(template, tmp_path):
    situations = all_situations(downloaded(template))
    for number, family in enumerate(dict.fromkeys(situation.family for situation in situations)):
        chosen = [situation for situation in situations if situation.family == family]
        situation, sound = chosen[number % len(chosen)], None
        if situation.damage is not None:
            copy(template, tmp_path / "work")
            sound = end_of(situation.command, tmp_path / "work")
        copy(template, tmp_path / "work")
        assert run_situation(situation, tmp_path / "work", sound) == [], situation


def test_nothing_else_is_loaded_from_damaged_files(tmp_path, capsys):
    outcomes = damage_at_random(tmp_path, RANDOM)
    assert all(found.total() == RANDOM for found in outcomes.values())
    assert outcomes["generator"]["refused"] > RANDOM / 2
