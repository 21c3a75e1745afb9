"""Runs that go on from a checkpoint, and those that must not."""

import json
from dataclasses import replace

import pytest
import torch
from tiny_pretraining import CONFIG, METADATA, run_on

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.pretraining.loop import pretrain, training_steps
from intrastyler_nnunet.pretraining.recipes import configured, read_recipe, recipe_names, resolved
from intrastyler_nnunet.pretraining.state import initial_state, load_checkpoint, save_checkpoint

pytestmark = pytest.mark.usefixtures("tiny_preset")


def of_recipe(name: str) -> PretrainingConfig:
    """A recipe with the sizes of the tests. Some CPUs have convolutions of one slice in bfloat16 that are NaN."""
    given = {"preset": CONFIG.preset, "iterations": CONFIG.iterations, "batch_size": 1, "precision": "float32"}
    from_data = {entry: getattr(CONFIG, entry) for entry in ("patch_size", "style_patch_size")} | {"classes": 4}
    every = {"checkpoint_every": 100, "panel_every": CONFIG.panel_every, "nce_places": CONFIG.nce_places}
    return configured(resolved(read_recipe(name), {}, given) | from_data | every, name)


@pytest.mark.parametrize("config", [CONFIG, *map(of_recipe, recipe_names())], ids=["tests", *recipe_names()])
def test_a_run_that_was_cut_ends_as_the_uninterrupted_one(cases, tmp_path, config):
    whole = pretrain(run_on(cases, config, tmp_path / "whole"), torch.device("cpu"))
    state = initial_state(config, METADATA, torch.device("cpu"))
    (tmp_path / "cut").mkdir()
    for _ in training_steps(state, run_on(cases, config), torch.device("cpu")):
        if state.iteration == 4:
            save_checkpoint(state, config, tmp_path / "cut")
        if state.iteration == 5:  # cut here: the fifth step is lost
            break
    resumed = pretrain(run_on(cases, config, tmp_path / "cut"), torch.device("cpu"))
    first, second = Generator.load(whole).state_dict(), Generator.load(resumed).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (tmp_path / "whole" / "panel_0000006.png").stat().st_size > 1000
    assert json.loads((tmp_path / "whole" / "config.json").read_text())["negatives"] == config.negatives


def test_a_run_can_be_lengthened_but_not_shortened(cases, tmp_path):
    cpu = torch.device("cpu")
    pretrain(run_on(cases, replace(CONFIG, iterations=2), tmp_path), cpu)
    longer = pretrain(run_on(cases, replace(CONFIG, iterations=4), tmp_path), cpu)
    assert Generator.load(longer).metadata.training["iteration"] == 4
    with pytest.raises(InputError, match="of a run of 4 iterations, expected as many or more, not 3"):
        pretrain(run_on(cases, replace(CONFIG, iterations=3), tmp_path), cpu)


def test_other_settings_do_not_continue_a_run(cases, tmp_path):
    short = replace(CONFIG, iterations=2)
    pretrain(run_on(cases, short, tmp_path), torch.device("cpu"))
    with pytest.raises(InputError, match=r"learning_rate 0.0002 -> 0.001"):
        pretrain(run_on(cases, replace(short, learning_rate=1e-3), tmp_path), torch.device("cpu"))


def test_a_checkpoint_from_before_a_setting_existed_is_gone_on_with(cases, tmp_path):
    short = replace(CONFIG, iterations=2)
    pretrain(run_on(cases, short, tmp_path), torch.device("cpu"))
    path = tmp_path / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    settings = json.loads(content["config"])
    for name in ("lambda_adversarial", "lambda_fluid", "schedules"):
        del settings[name]
    inputs = json.loads(content["inputs"])
    del inputs["spacing, axes or sub-domains"]["normalization"]
    torch.save(content | {"config": json.dumps(settings), "inputs": json.dumps(inputs)}, path)
    average = Generator.load(pretrain(run_on(cases, short, tmp_path), torch.device("cpu"))).state_dict()
    assert all(torch.equal(average[name], weight) for name, weight in content["average"].items())
    with pytest.raises(InputError, match=r"lambda_fluid 0.0 -> 1.0"):
        pretrain(run_on(cases, replace(short, lambda_fluid=1.0, fluid_labels=(3,)), tmp_path), torch.device("cpu"))


def test_other_inputs_do_not_continue_a_run(cases, tmp_path):
    short, cpu = replace(CONFIG, iterations=2), torch.device("cpu")
    pretrain(run_on(cases, short, tmp_path), cpu)
    source, target = cases
    with pytest.raises(InputError, match="made with other target cases, expected the same or a new folder"):
        pretrain(run_on((source, target.only(target.names[:1])), short, tmp_path), cpu)
    with pytest.raises(InputError, match="made with other spacing, axes or sub-domains, expected"):
        pretrain(replace(run_on(cases, short, tmp_path), metadata=replace(METADATA, spacing=(1.0, 1.0, 1.0))), cpu)
    with pytest.raises(InputError, match="made with other number of batches in a step, expected"):
        pretrain(run_on(cases, replace(short, accumulate=2), tmp_path), cpu)


@pytest.mark.parametrize(("before", "after"), [("float16", "float32"), ("float32", "float16"), ("bfloat16", "float32")])
def test_a_run_goes_on_in_another_precision(cases, tmp_path, before, after):
    configs = [replace(CONFIG, precision=precision) for precision in (before, after)]
    state, resumed = (initial_state(config, METADATA, torch.device("cpu")) for config in configs)
    for _ in training_steps(state, run_on(cases, configs[0]), torch.device("cpu")):
        if state.iteration == 3:
            break
    save_checkpoint(state, configs[0], tmp_path)
    assert load_checkpoint(resumed, configs[1], tmp_path)
    assert resumed.iteration == 3
    if after == "float16":  # its usual first factor overflows, which costs some steps
        resumed.scaler = torch.amp.GradScaler("cpu", init_scale=128)
    next(training_steps(resumed, run_on(cases, configs[1]), torch.device("cpu")))
    moved = (resumed.networks.generator.state_dict()[n] - w for n, w in state.networks.generator.state_dict().items())
    assert 0 < max(float(change.abs().max()) for change in moved) < 0.01
    assert resumed.skipped == state.skipped


@pytest.fixture
def checkpoint(tiny_preset, tmp_path):
    """Folder with the checkpoints of steps 4 and 6, whose weights differ."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for iteration in (4, 6):
        state = initial_state(replace(CONFIG, seed=iteration), METADATA, torch.device("cpu"))
        state.iteration = iteration
        save_checkpoint(state, CONFIG, folder)
    return folder


def values_of(state) -> list[torch.Tensor]:
    return [*state.average.state_dict().values(), *state.networks.discriminator.state_dict().values()]


@pytest.mark.parametrize("block", range(20))
def test_a_checkpoint_with_a_zeroed_block_is_not_loaded(checkpoint, tmp_path, capsys, block):
    """The one before is, or, where zeroes change no value (padding), the same one."""
    for name in ("checkpoint.pt", "checkpoint_previous.pt"):
        (tmp_path / name).write_bytes((checkpoint / name).read_bytes())
    content = bytearray((tmp_path / "checkpoint.pt").read_bytes())
    start = block * (len(content) - 4096) // 19
    content[start : start + 4096] = bytes(4096)
    (tmp_path / "checkpoint.pt").write_bytes(content)
    state = initial_state(CONFIG, METADATA, torch.device("cpu"))
    assert load_checkpoint(state, CONFIG, tmp_path)
    intact = initial_state(CONFIG, METADATA, torch.device("cpu"))
    same = tmp_path / "intact"
    same.mkdir()
    name = "checkpoint_previous.pt" if "not readable" in capsys.readouterr().out else "checkpoint.pt"
    (same / "checkpoint.pt").write_bytes((checkpoint / name).read_bytes())
    load_checkpoint(intact, CONFIG, same)
    assert state.iteration == intact.iteration
    assert all(torch.equal(a, b) for a, b in zip(values_of(state), values_of(intact), strict=True))


@pytest.mark.parametrize("content", [{"weights": torch.zeros(3)}, [1, 2], {"iteration": 3}])
def test_what_is_no_checkpoint_is_passed_over(checkpoint, tmp_path, capsys, content):
    torch.save(content, tmp_path / "checkpoint.pt")
    (tmp_path / "checkpoint_previous.pt").write_bytes((checkpoint / "checkpoint_previous.pt").read_bytes())
    state = initial_state(CONFIG, METADATA, torch.device("cpu"))
    assert load_checkpoint(state, CONFIG, tmp_path)
    assert state.iteration == 4
    assert "checkpoint.pt: not readable" in capsys.readouterr().out


@pytest.mark.parametrize("size", [1000, 0])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(cases, tmp_path, capsys, size):
    whole = pretrain(run_on(cases, CONFIG, tmp_path / "whole"), torch.device("cpu"))
    pretrain(run_on(cases, CONFIG, tmp_path / "cut"), torch.device("cpu"))
    latest = tmp_path / "cut" / "checkpoint.pt"
    latest.write_bytes(latest.read_bytes()[:size])
    resumed = pretrain(run_on(cases, CONFIG, tmp_path / "cut"), torch.device("cpu"))
    assert "not readable" in capsys.readouterr().out
    first, second = Generator.load(whole).state_dict(), Generator.load(resumed).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    lines = [json.loads(line)["iteration"] for line in (tmp_path / "cut" / "stats.jsonl").read_text().splitlines()]
    assert lines == [CONFIG.iterations]
    for name in ("checkpoint.pt", "checkpoint_previous.pt"):
        assert torch.load(tmp_path / "cut" / name, weights_only=True)["iteration"] in (4, 6)
