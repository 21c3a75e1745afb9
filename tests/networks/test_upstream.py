"""The released code's weights, against arrays the released network computed."""

from pathlib import Path

import pytest
import torch

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.networks.generator import Generator
from intrastyler_nnunet.networks.upstream import compare_with_reference, import_upstream

FIXTURE = Path(__file__).parents[3] / "shared" / "upstream_fixture"
needs_fixture = pytest.mark.skipif(not FIXTURE.is_dir(), reason="the released weights are not part of the repository")


@needs_fixture
def test_reproduces_the_released_network(tmp_path):
    main(["import-upstream", str(FIXTURE / "latest_net_G.pth"), "-o", str(tmp_path / "generator.safetensors")])
    generator = Generator.load(tmp_path / "generator.safetensors")
    differences = compare_with_reference(generator, FIXTURE / "reference.npz")
    assert differences["style"] < 1e-5 and differences["style2"] < 1e-5
    assert differences["translated"] < 1e-4 and differences["translated2"] < 1e-4


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
