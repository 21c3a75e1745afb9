"""The released code's weights, against arrays the released network computed."""

import os
from pathlib import Path

import pytest
import torch

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.released_weights import compare_with_reference, export_upstream, import_upstream

RELEASED = Path(os.environ.get("RELEASED_WEIGHTS", Path(__file__).parents[1] / "data" / "released"))


def test_reproduces_the_released_network(tmp_path):
    main(["import-upstream", str(RELEASED / "latest_net_G.pth"), "-o", str(tmp_path / "generator.safetensors")])
    generator = Generator.load(tmp_path / "generator.safetensors")
    differences = compare_with_reference(generator, RELEASED / "reference.npz")
    assert differences["style"] < 1e-5
    assert differences["style2"] < 1e-5
    assert differences["translated"] < 1e-4
    assert differences["translated2"] < 1e-4


def test_an_export_is_the_released_file_but_for_the_head_no_translation_uses(tmp_path):
    main(["import-upstream", str(RELEASED / "latest_net_G.pth"), "-o", str(tmp_path / "generator.safetensors")])
    main(["export", "-g", str(tmp_path / "generator.safetensors"), "--to-upstream", str(tmp_path / "latest_net_G.pth")])
    released, exported = (torch.load(folder / "latest_net_G.pth", weights_only=True) for folder in (RELEASED, tmp_path))
    assert {name: t.shape for name, t in released.items()} == {name: t.shape for name, t in exported.items()}
    for name, tensor in released.items():
        if name.endswith("filt"):
            torch.testing.assert_close(exported[name], tensor, atol=1e-7, rtol=1e-6)
        elif not name.startswith("seg_head"):
            assert torch.equal(exported[name], tensor), name


@pytest.mark.parametrize("released_blur", [False, True])
def test_export_and_import_give_the_same_generator(tmp_path, released_blur):
    config = GeneratorConfig(width=4, residual_blocks=5, style_width=4, released_blur=released_blur)
    generator = Generator(config)
    export_upstream(generator, tmp_path / "latest_net_G.pth")
    again = import_upstream(tmp_path / "latest_net_G.pth")
    assert again.config == config
    first, second = generator.state_dict(), again.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (GeneratorConfig(width=4, strides=((2, 2, 1), (1, 1, 2)), style_width=0), "strides ((2, 2, 1), (1, 1, 2))"),
        (GeneratorConfig(width=4, skip=True), "skip True"),
    ],
)
def test_what_the_released_code_cannot_load_is_not_exported(other, named, tmp_path, capsys):
    Generator(other).save(tmp_path / "generator.safetensors")
    with pytest.raises(SystemExit) as stopped:
        main(["export", "-g", str(tmp_path / "generator.safetensors"), "--to-upstream", str(tmp_path / "g.pth")])
    message = capsys.readouterr().err
    assert stopped.value.code == 2
    assert message.count("\n") == 1
    assert named in message
    assert not (tmp_path / "g.pth").exists()


def test_other_files_are_refused(tmp_path, capsys):
    path = tmp_path / "latest_net_G.pth"
    torch.save({"encoder.1.weight": torch.zeros(4, 1, 7, 7, 7)}, path)
    with pytest.raises(InputError, match="style_encoder"):
        import_upstream(path)
    path.write_bytes(b"not a state dict")
    with pytest.raises(SystemExit) as stopped:
        main(["import-upstream", str(path), "-o", str(tmp_path / "generator.safetensors")])
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def exported(tmp_path):
    """The entries of a file of the released code, made from a tiny generator."""
    config = GeneratorConfig(width=2, residual_blocks=2, style_width=2, style_dim=3)
    export_upstream(Generator(config), tmp_path / "latest_net_G.pth")
    return torch.load(tmp_path / "latest_net_G.pth", weights_only=True)


def test_the_prefix_of_data_parallel_training_is_taken_off(exported, tmp_path):
    torch.save({f"module.{name}": tensor for name, tensor in exported.items()}, tmp_path / "parallel.pth")
    again = import_upstream(tmp_path / "parallel.pth").state_dict()
    assert torch.equal(again["content_encoder.layers.1.weight"], exported["encoder.1.weight"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"encoder.1.weight": torch.tensor(1.0)}, "'encoder.1.weight' is no tensor of finite numbers"),
        ({"encoder.1.weight": "text"}, "'encoder.1.weight' is no tensor of finite numbers"),
        ({"encoder.1.weight": torch.zeros(1).expand(10**9, 1, 7, 7, 7)}, "'encoder.1.weight' is no tensor"),
        ({"encoder.1.bias": torch.tensor([0.0, torch.nan])}, "'encoder.1.bias' is no tensor of finite numbers"),
        ({"encoder.1.weight": torch.zeros(0, 1, 7, 7, 7)}, "width is 0, expected 1 or more"),
        ({"style_encoder.model.4.weight": torch.zeros(5000, 8, 1, 1, 1)}, "style_dim is 5000, expected 4096 or less"),
        ({"encoder.1.weight": torch.zeros(3, 1, 7, 7, 7)}, "found 'content_encoder.* expected of shape"),
        ({"encoder.7.filt": torch.zeros(3)}, "'encoder.7.filt' is another blur"),
        ({"optimizer": torch.zeros(3)}, "entry 'optimizer' is not known"),
    ],
)
def test_entries_that_are_not_the_released_codes_are_refused(exported, tmp_path, changed, message):
    torch.save(exported | changed, tmp_path / "changed.pth")
    with pytest.raises(InputError, match=message):
        import_upstream(tmp_path / "changed.pth")
