"""Validation by style: counts by hand, the table over an interruption, and which style is the worst."""

import json

import numpy as np
import pytest
import torch

from intrastyler_nnunet.nnunet.style_validation import choose_validation_styles, dice_by_style, record
from intrastyler_nnunet.styles.bank import StyleBank


def output(true: tuple, false: tuple, missed: tuple) -> dict:
    return {"loss": np.array(0.5), "tp_hard": np.array(true), "fp_hard": np.array(false), "fn_hard": np.array(missed)}


def test_dice_of_each_style_from_its_own_batches():
    outputs = [
        output((8, 0), (2, 0), (2, 4)),  # style 0
        output((1, 5), (9, 0), (0, 0)),  # style 1
        output((2, 0), (0, 0), (0, 0)),  # style 0
    ]
    first = np.mean([2 * 10 / (2 * 10 + 2 + 2), 0.0])
    second = np.mean([2 * 1 / (2 * 1 + 9), 1.0])
    assert np.allclose(dice_by_style(outputs, 2), [first, second])


def test_a_class_that_is_nowhere_is_left_out_and_an_unseen_style_has_no_dice():
    dice = dice_by_style([output((3, 0), (1, 0), (1, 0)), output((0, 0), (0, 0), (0, 0))], 3)
    assert np.allclose(dice[0], 2 * 3 / (2 * 3 + 2))
    assert np.isnan(dice[1:]).all()


def test_styles_are_one_exemplar_of_each_scanner_that_is_drawn():
    generator = torch.Generator().manual_seed(0)
    centres = torch.nn.functional.normalize(torch.randn(3, 16, generator=generator)).repeat_interleave(6, dim=0)
    vectors = torch.nn.functional.normalize(centres + 0.02 * torch.randn(18, 16, generator=generator))
    names = tuple(f"{scanner}_{number}" for scanner in "abc" for number in range(6))
    bank = StyleBank(names, vectors, torch.zeros(18, 2), torch.zeros(18))
    everywhere = choose_validation_styles([bank], np.full(18, 1 / 18))
    assert sorted(name[0] for name in everywhere.names) == ["a", "b", "c"]
    assert [bank.names[index] for index in everywhere.exemplars] == list(everywhere.names)
    without_b = np.array([0.0 if name.startswith("b") else 1 / 12 for name in names])
    assert sorted(name[0] for name in choose_validation_styles([bank], without_b).names) == ["a", "c"]


def test_every_generator_and_the_source_have_styles_of_their_own():
    vectors = torch.eye(4, 16)
    banks = [StyleBank(("a", "b"), vectors[:2], torch.zeros(2, 2), torch.zeros(2)),
             StyleBank(("a", "c"), vectors[2:], torch.zeros(2, 2), torch.zeros(2))]  # fmt: skip
    styles = choose_validation_styles(banks, np.array([0.5, 0.0, 0.25, 0.25]), with_source=True)
    assert dict(zip(styles.names, styles.exemplars, strict=True)) == {
        "generator1_a": 0, "generator2_a": 2, "generator2_c": 3, "source": -1,
    }  # fmt: skip
    only_first = choose_validation_styles(banks, np.array([0.5, 0.5, 0.0, 0.0]))
    assert sorted(only_first.names) == ["generator1_a", "generator1_b"]


def test_an_interrupted_trainings_table_goes_on_without_repeats(tmp_path):
    for epoch in (0, 1, 2, 3, 2, 3, 4):  # interrupted after 3, checkpoint of 1
        record(tmp_path, epoch, ("a", "b"), np.array([0.1 * epoch, np.nan]))
    rows = [json.loads(line) for line in (tmp_path / "styles.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3, 4]
    assert rows[4]["dice"] == {"a": 0.4, "b": None}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["progress_styles.png", "styles.jsonl"]


@pytest.mark.parametrize(("best_style", "expected"), [("mean", 10 / 15), ("worst", 1 / 6)])
def test_pseudo_dice_is_of_all_styles_or_of_the_worst(make_trainer, tmp_path, best_style, expected):
    trainer = make_trainer(best_style=best_style)
    trainer.initialize()
    trainer.output_folder = str(tmp_path)
    assert len(trainer.validation_styles) == 2
    outputs = [output((9,), (0,), (0,)), output((1,), (5,), (5,))]
    trainer.on_validation_epoch_end(outputs)
    assert np.isclose(trainer.logger.get_value("mean_fg_dice", step=-1), expected)
