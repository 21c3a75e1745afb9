"""Numbers that cannot be are refused in one line, before anything is read or written."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.cli.options import DATASET_ID, FINITE, NOT_NEGATIVE, POSITIVE, SHARE, whole_number

PRETRAIN = ["pretrain", "-d", "1", "-c", "x"]
SYNTHESIZE = ["synthesize", "-d", "1", "-c", "x", "-o"]
TRANSLATE = ["translate", "-g", "g", "-i", "i", "-o", "o"]
PREPARE = ["crossmoda", "prepare", "-i", "i", "-d"]
REFUSED = [
    *([*PRETRAIN, "--seed", text] for text in ("-1", "1.5", "nan", str(2**32))),
    *([*PRETRAIN, option, "0"] for option in ("--iterations", "--batch-size", "--accumulate", "-num_gpus")),
    *([*PRETRAIN, option, "-1"] for option in ("--style-warmup", "--held-out", "-np")),
    [*PRETRAIN, "--patch-size", "0", "8", "8"],
    *([*SYNTHESIZE, text] for text in ("0", "-3", "5000", "name")),
    *([*SYNTHESIZE, "2", "--p-slerp", text] for text in ("nan", "-0.1", "1.1")),
    [*SYNTHESIZE, "2", "--styles-per-case", "0"],
    [*SYNTHESIZE, "2", "--seed", "-1"],
    *([*TRANSLATE, "--exemplar", "e", "-t", text] for text in ("5", "-1", "nan")),
    [*TRANSLATE, "--random", "0"],
    [*TRANSLATE, "--random", "1", "--slab", "0"],
    [*TRANSLATE, "--random", "1", "--seed", "-1"],
    *(["simulate", "-d", text] for text in ("0", "-3", "5000")),
    *([*command, "-num_parts", "2", "-part_id", text] for text in ("-1", "x") for command in (
        [*TRANSLATE, "--random", "1"], [*SYNTHESIZE, "2"], ["add-target", "-d", "1"],
    )),
    ["simulate", "--seed", "-1"],
    ["simulate", "-np", "0"],
    ["add-target", "-d", "1", "-np", "0"],
    ["evaluate", "-p", "p", "-g", "g", "-np", "0"],
    *([*PREPARE, text] for text in ("0", "1000")),
    *([*PREPARE, "1", "--spacing", text, "1", "1"] for text in ("1e-6", "0", "nan", "inf")),
    [*PREPARE, "1", "--size", "100000", "100000", "100000"],
    [*PREPARE, "1", "-np", "0"],
    ["crossmoda", "localise", "-i", "i", "-o", "o", "-np", "0"],
]  # fmt: skip


def test_a_part_that_is_not_there_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main([*TRANSLATE, "--random", "1", "-num_parts", "2", "-part_id", "2"])
    assert stop.value.code == 2
    assert "-part_id is 2 with -num_parts 2, expected 0 to 1" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_a_number_that_cannot_be_is_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "argument -" in message
    assert "found" in message
    assert ", expected" in message
    assert list(tmp_path.iterdir()) == []


@given(st.floats())
def test_numbers_pass_unchanged_if_they_are_within_their_limits(value):
    for read, within in (
        (FINITE, math.isfinite(value)),
        (NOT_NEGATIVE, 0 <= value < math.inf),
        (POSITIVE, 0 < value < math.inf),
        (SHARE, 0 <= value <= 1),
    ):
        if within:
            assert read(repr(value)) == value
        else:
            with pytest.raises(Exception, match=r"found .*, expected"):
                read(repr(value))


@given(st.integers())
def test_whole_numbers_do_too(value):
    for read, within in ((DATASET_ID, 0 < value < 1000), (whole_number(-2), value >= -2)):
        if within:
            assert read(str(value)) == value
        else:
            with pytest.raises(Exception, match=r"found .*, expected a whole number"):
                read(str(value))
