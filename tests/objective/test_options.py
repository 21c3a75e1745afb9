"""Options that are made from the fields of the configuration."""

import re
from dataclasses import fields

import pytest

from intrastyler_nnunet.cli import build_parser
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.objective.config import PretrainingConfig, default_settings
from intrastyler_nnunet.objective.options import options_of
from intrastyler_nnunet.objective.terms import TERMS

NEEDED = ["pretrain", "-d", "1", "-c", "3d_fullres"]
SIZES = {"patch_size": (8, 16, 16), "style_patch_size": (8, 12, 12)}
OPTIONS = {  # by their names on the command line: of the configuration, and a value that is not the default
    "--preset": ("preset", "mini"),
    "--method": ("method", "unified"),
    "--subdomain": ("subdomain", "ldn"),
    "--subdomain-pattern": ("subdomain_pattern", "_(a)"),
    "-pretrained_weights": ("pretrained_weights", "generator.safetensors"),
    "--iterations": ("iterations", 7),
    "--style-warmup": ("style_warmup", 3),
    "--batch-size": ("batch_size", 2),
    "--accumulate": ("accumulate", 3),
    "--precision": ("precision", "bfloat16"),
    "--held-out": ("held_out", 0),
    "--seed": ("seed", 5),
}


@pytest.mark.parametrize(("flag", "expected"), OPTIONS.items(), ids=OPTIONS)
def test_an_option_sets_its_field_alone(flag, expected):
    name, value = expected
    given, without = (vars(build_parser().parse_args([*NEEDED, *more])) for more in ([flag, str(value)], []))
    assert {key: given[key] for key in given.keys() - without.keys()} == {name: value}
    assert default_settings()[name] != value


def test_every_option_is_known_here():
    known = {name for name, _ in OPTIONS.values()}
    assert {name for name, option in options_of(PretrainingConfig).items() if option.group} == known


def test_help_names_every_option(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        build_parser("pretrain").parse_args(["pretrain", "--help"])
    text = capsys.readouterr().out
    for flag, (name, _) in OPTIONS.items():
        described = re.search(rf"^  {flag} .*(\n {{10,}}.*)?$", text, re.MULTILINE)[0]
        assert options_of(PretrainingConfig)[name].help in described
    assert f"({', '.join(TERMS)})" in text


def test_a_configuration_is_its_defaults():
    config = PretrainingConfig(**SIZES)
    assert {f.name: getattr(config, f.name) for f in fields(config) if f.name not in SIZES} == default_settings()


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("perturbations", "all", "perturbations 'all', expected one of kinds, released"),
    ("shared_perturbation", 1.5, "shared perturbation is 1.5, expected from 0 to 1"),
    ("method", "multinets", "method 'multinets', expected one of intrastyler, unified, nodiverse"),
    ("batch_size", 0, "batch size is 0, expected at least 1"),
    ("instance_noise", -0.1, "instance noise is -0.1, expected 0 or more"),
    ("lambda_nce", float("nan"), "lambda nce is nan, expected a finite number"),
    ("learning_rate", float("inf"), "learning rate is inf, expected a finite number"),
    ("learning_rate", -1.0, "learning rate is -1.0, expected more than 0"),
])  # fmt: skip
def test_values_out_of_range_are_refused(name, value, expected):
    with pytest.raises(InputError, match=expected):
        PretrainingConfig(**SIZES, **{name: value})
