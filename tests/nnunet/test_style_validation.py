"""Validation by style: counts by hand, the table over an interruption, and which style is the worst."""

import json

import numpy as np
import pytest
import torch

from intrastyler_nnunet.nnunet.style_validation import (
    EpochDice,
    average_dice,
    choose_validation_styles,
    dice_by_style,
    few_batches,
    lowest_styles,
    record,
    rows_with,
)
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
        record(tmp_path, rows_with(tmp_path, epoch, ("a", "b"), np.array([0.1 * epoch, np.nan])), ("a", "b"))
    rows = [json.loads(line) for line in (tmp_path / "styles.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3, 4]
    assert rows[4]["dice"] == {"a": 0.4, "b": None}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["progress_styles.png", "styles.jsonl"]


def test_averages_weigh_epochs_as_nnunet_does():
    rows = [EpochDice(epoch, {"a": value, "b": None}) for epoch, value in enumerate((0.2, 0.5, 0.9))]
    expected = (0.81 * 0.2 + 0.9 * 0.5 + 0.9) / (0.81 + 0.9 + 1)
    averages = average_dice(rows, ("a", "b"))
    assert np.isclose(averages[0], expected)
    assert np.isnan(averages[1])
    gap = [EpochDice(0, {"b": 0.5}), EpochDice(1, {}), EpochDice(2, {"b": 1.0})]  # unseen in the second epoch
    assert np.isclose(average_dice(gap, ("b",))[0], (0.81 * 0.5 + 1) / 1.81)


def test_the_worst_of_equal_styles_is_not_far_below_them():
    """20 styles of true Dice 0.80, seen in 2 to 13 batches an epoch, one of whose Dice has deviation 0.142."""
    names = tuple(f"style_{number}" for number in range(20))
    lowest = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        batches = rng.integers(2, 14, len(names))
        rows = []
        for epoch in range(40):
            dice = rng.normal(0.8, 0.142 / np.sqrt(batches)).clip(0, 1)
            rows.append(EpochDice(epoch, dict(zip(names, dice.tolist(), strict=True))))
            if epoch >= 30:
                lowest.append((dice.min(), average_dice(rows, names).min()))
    of_one_epoch, reported = np.mean(lowest, axis=0)
    assert 0.67 < of_one_epoch < 0.69
    assert reported > 0.77


def test_styles_for_the_final_validation_are_the_lowest_of_the_table(tmp_path):
    names = ("a", "b", "c")
    assert lowest_styles(tmp_path, names) == ["a", "b", "c"]
    record(tmp_path, rows_with(tmp_path, 0, names, np.array([0.7, np.nan, 0.6])), names)
    assert lowest_styles(tmp_path, names) == ["c", "a", "b"]


def test_few_batches_are_warned_of():
    assert few_batches(50, 10) == []
    (warning,) = few_batches(50, 11)
    assert "4 batches for each of 11 validation styles, expected 5 for each, 55 in all" in warning


@pytest.mark.parametrize(("best_style", "expected"), [("mean", 10 / 15), ("worst", 1 / 6)])
def test_pseudo_dice_is_of_all_styles_or_of_the_worst(make_trainer, tmp_path, best_style, expected):
    trainer = make_trainer(best_style=best_style)
    trainer.initialize()
    trainer.output_folder = str(tmp_path)
    assert len(trainer.validation_styles) == 2
    outputs = [output((9,), (0,), (0,)), output((1,), (5,), (5,))]
    trainer.on_validation_epoch_end(outputs)
    assert np.isclose(trainer.logger.get_value("mean_fg_dice", step=-1), expected)
