"""The released code's weights, against arrays the released network computed."""

from pathlib import Path

import pytest
import torch

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.released_weights import compare_with_reference, export_upstream, import_upstream

FIXTURE = Path(__file__).parents[3] / "shared" / "upstream_fixture"
needs_fixture = pytest.mark.skipif(not FIXTURE.is_dir(), reason="the released weights are not part of the repository")


@needs_fixture
def test_reproduces_the_released_network(tmp_path):
    main(["import-upstream", str(FIXTURE / "latest_net_G.pth"), "-o", str(tmp_path / "generator.safetensors")])
    generator = Generator.load(tmp_path / "generator.safetensors")
    differences = compare_with_reference(generator, FIXTURE / "reference.npz")
    assert differences["style"] < 1e-5 and differences["style2"] < 1e-5
    assert differences["translated"] < 1e-4 and differences["translated2"] < 1e-4


@needs_fixture
def test_an_export_is_the_released_file_but_for_the_head_no_translation_uses(tmp_path):
    main(["import-upstream", str(FIXTURE / "latest_net_G.pth"), "-o", str(tmp_path / "generator.safetensors")])
    main(["export", "-g", str(tmp_path / "generator.safetensors"), "--to-upstream", str(tmp_path / "latest_net_G.pth")])
    released, exported = (torch.load(folder / "latest_net_G.pth", weights_only=True) for folder in (FIXTURE, tmp_path))
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
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


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
    assert stopped.value.code == 2 and message.count("\n") == 1 and named in message
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
