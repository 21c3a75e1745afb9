"""Settings of the trainer: defaults, checks, the generator's place, and what is kept beside a training."""

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.nnunet.settings import (
    TrainerSettings,
    check_resumable,
    generator_paths,
    read_settings,
    resolve,
    write_resolved,
)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    monkeypatch.delenv("INTRASTYLER_SETTINGS", raising=False)
    monkeypatch.delenv("INTRASTYLER_GENERATOR", raising=False)


def test_without_a_file_nnunets_schedule_is_kept():
    settings = read_settings()
    assert settings == TrainerSettings(seed=0, p_translate=1.0, generator=None)
    assert settings.overrides() == {}


def test_file(tmp_path, monkeypatch):
    path = tmp_path / "settings.json"
    path.write_text('{"p_translate": 0, "num_epochs": 3, "save_every": 1, "generator": "here"}')
    monkeypatch.setenv("INTRASTYLER_SETTINGS", str(path))
    settings = read_settings()
    assert settings.p_translate == 0
    assert settings.generator == "here"
    assert settings.overrides() == {"num_epochs": 3, "save_every": 1}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"p_translat": 1}', 'unknown entry "p_translat", expected seed, p_translate'),
        ('{"p_translate": "1"}', 'p_translate is "1", expected a number'),
        ('{"p_translate": 1.5}', "p_translate is 1.5, expected 1 or less"),
        ('{"p_translate": NaN}', "p_translate is NaN, expected a finite number"),
        ('{"p_slerp": -0.5}', "p_slerp is -0.5, expected 0 or more"),
        ('{"policy": "rare"}', "policy is \"rare\", expected 'uniform' or 'balanced' or an object"),
        ('{"policy": {"rare": 1}}', "found the name \"rare\" in policy, expected 'uniform' or 'balanced'"),
        ('{"policy": {"uniform": -1}}', "policy.uniform is -1, expected 0 or more"),
        ('{"policy": {"uniform": "1"}}', 'policy.uniform is "1", expected a number'),
        ('{"policy": {"uniform": 0}}', "or a weight above 0"),
        ('{"policy": 1}', "policy is 1, expected 'uniform' or 'balanced' or an object"),
        ('{"generator": []}', "generator is [], expected a string or at least 1 item"),
        ('{"generator": 3}', "generator is 3, expected a string or a list"),
        ('{"channel": 0}', "channel is 0, expected a string"),
        ('{"translation_batch_size": 0}', "translation_batch_size is 0, expected 1 or more"),
        ('{"compile_generator": 1}', "compile_generator is 1, expected a boolean"),
        ('{"exemplars": "a"}', 'exemplars is "a", expected a list'),
        ('{"exemplars": []}', "exemplars is [], expected at least 1 item"),
        ('{"seed": 1.5}', "seed is 1.5, expected a whole number"),
        ('{"seed": true}', "seed is true, expected a whole number"),
        ('{"seed": -1}', "seed is -1, expected 0 or more"),
        ('{"num_epochs": 0}', "num_epochs is 0, expected 1 or more"),
        ('{"num_epochs": "3"}', 'num_epochs is "3", expected a whole number'),
        ("[1]", "found [1], expected the trainer's settings, which INTRASTYLER_SETTINGS names"),
        ("{", "not valid JSON"),
    ],
)
def test_bad_file(tmp_path, monkeypatch, content, expected):
    path = tmp_path / "settings.json"
    path.write_text(content)
    monkeypatch.setenv("INTRASTYLER_SETTINGS", str(path))
    with pytest.raises(InputError) as error:
        read_settings()
    assert str(error.value).startswith(f"{path}: ")
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_every_setting_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    rows = [line.split("|")[1] for line in page.split("\n## ")[0].splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(TrainerSettings.__dataclass_fields__)


def test_missing_file(tmp_path, monkeypatch):
    monkeypatch.setenv("INTRASTYLER_SETTINGS", str(tmp_path / "none.json"))
    with pytest.raises(InputError, match=r"none.json: No such file"):
        read_settings()


def test_generator_is_found_by_variable_then_settings_then_folder(tmp_path, monkeypatch):
    for name in ("generator.safetensors", "of_settings", "of_variable"):
        (tmp_path / name).touch()
    chosen = TrainerSettings(generator=str(tmp_path / "of_settings"))
    assert generator_paths(TrainerSettings(), tmp_path) == [tmp_path / "generator.safetensors"]
    assert generator_paths(chosen, tmp_path) == [tmp_path / "of_settings"]
    several = [str(tmp_path / name) for name in ("of_settings", "generator.safetensors")]
    assert generator_paths(TrainerSettings(generator=several), tmp_path) == list(map(Path, several))
    with pytest.raises(InputError, match="names a file twice"):
        generator_paths(TrainerSettings(generator=several[:1] * 2), tmp_path)
    monkeypatch.setenv("INTRASTYLER_GENERATOR", str(tmp_path / "of_variable"))
    assert generator_paths(chosen, tmp_path) == [tmp_path / "of_variable"]


def test_missing_generator(tmp_path):
    with pytest.raises(InputError, match="no such generator; run intrastyler pretrain"):
        generator_paths(TrainerSettings(), tmp_path)


def test_resolved_copy(tmp_path):
    generator = tmp_path / "generator.safetensors"
    generator.write_bytes(b"weights")
    write_resolved(resolve(TrainerSettings(seed=4), [generator]), tmp_path)
    resolved = json.loads((tmp_path / "intrastyler_settings.json").read_text())
    assert resolved["seed"] == 4
    assert resolved["generator"] == str(generator)
    assert resolved["generator_sha256"] == hashlib.sha256(b"weights").hexdigest()


def test_a_training_may_go_on_longer_but_not_otherwise(tmp_path):
    generator = tmp_path / "generator.safetensors"
    generator.write_bytes(b"weights")
    begun = resolve(TrainerSettings(num_epochs=3), [generator])
    check_resumable(begun, tmp_path)
    write_resolved(begun, tmp_path)
    check_resumable(resolve(TrainerSettings(num_epochs=5), [generator]), tmp_path)
    with pytest.raises(InputError, match=r"begun with p_translate 1.0, now it is 0"):
        check_resumable(resolve(TrainerSettings(p_translate=0), []), tmp_path)
    generator.write_bytes(b"other weights")
    with pytest.raises(InputError, match="begun with generator_sha256"):
        check_resumable(resolve(TrainerSettings(num_epochs=3), [generator]), tmp_path)


def test_training_goes_on_only_with_the_same_case_list(tmp_path):
    cases = tmp_path / "cases.json"
    cases.write_text('{"cases": {"a": 1}}')
    settings = TrainerSettings(self_training=str(cases))
    write_resolved(resolve(settings, []), tmp_path)
    check_resumable(resolve(settings, []), tmp_path)
    cases.write_text('{"cases": {"b": 1}}')
    with pytest.raises(InputError, match="begun with self_training_sha256"):
        check_resumable(resolve(settings, []), tmp_path)


def test_a_training_begun_before_a_setting_existed_goes_on(tmp_path):
    begun = asdict(resolve(TrainerSettings(), []))
    del begun["self_training_sha256"]
    write_json(begun, tmp_path / "intrastyler_settings.json")
    check_resumable(resolve(TrainerSettings(), []), tmp_path)
