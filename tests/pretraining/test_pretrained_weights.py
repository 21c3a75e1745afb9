"""Trainings that begin with another generator's weights."""

from dataclasses import replace

import pytest
import torch
from tiny_pretraining import CONFIG, METADATA, run_on

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.pretraining.loop import pretrain
from intrastyler_nnunet.pretraining.state import initial_state

pytestmark = pytest.mark.usefixtures("tiny_preset")


@pytest.fixture
def start(tmp_path):
    """File of a generator with random weights of another seed."""
    generator = initial_state(replace(CONFIG, seed=1), METADATA, torch.device("cpu")).networks.generator
    generator.save(tmp_path / "start.safetensors")
    return str(tmp_path / "start.safetensors")


def test_generator_and_average_begin_with_them(start, capsys):
    state = initial_state(replace(CONFIG, pretrained_weights=start), METADATA, torch.device("cpu"))
    expected = Generator.load(start).state_dict()
    for generator in (state.networks.generator, state.average):
        weights = generator.state_dict()
        assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert capsys.readouterr().out == ""


def test_a_short_training_stays_near_them_and_tells_their_name(cases, start, tmp_path):
    config = replace(CONFIG, pretrained_weights=start, iterations=1, style_warmup=0, learning_rate=1e-6)
    trained = Generator.load(pretrain(run_on(cases, config, tmp_path / "run"), torch.device("cpu")))
    expected = Generator.load(start)
    for (name, weight), other in zip(trained.state_dict().items(), expected.state_dict().values(), strict=True):
        torch.testing.assert_close(weight, other, atol=1e-4, rtol=0, msg=name)
    assert trained.metadata.training["config"]["pretrained_weights"] == "start.safetensors"


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"method": "nodiverse"}, "method nodiverse, expected intrastyler"), ({}, "architecture GeneratorConfig")],
)
def test_another_generator_is_refused(start, tmp_path, change, expected):
    generator = Generator.load(start)
    generator.metadata = replace(generator.metadata, **change)
    if not change:
        generator = Generator(replace(generator.config, width=2 * generator.config.width), generator.metadata)
    generator.save(tmp_path / "other.safetensors")
    config = replace(CONFIG, pretrained_weights=str(tmp_path / "other.safetensors"))
    with pytest.raises(InputError, match=f"other.safetensors: {expected}"):
        initial_state(config, METADATA, torch.device("cpu"))


def test_another_input_is_mentioned(start, capsys):
    metadata = replace(METADATA, label_hint=LabelHint(levels=(((1,), 0.5),)))
    initial_state(replace(CONFIG, pretrained_weights=start), metadata, torch.device("cpu"))
    assert "start.safetensors: trained with label hint None, here it is LabelHint" in capsys.readouterr().out
