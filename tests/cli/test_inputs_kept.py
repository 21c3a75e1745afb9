"""No command writes onto what it reads, by whatever path or link the output is named."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from tiny_dataset import tiny_generator

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.crossmoda.prepare import CaseRecord, Preparation
from intrastyler_nnunet.crossmoda.region import Region
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.grids import SamplingGrid
from intrastyler_nnunet.model.released_weights import export_upstream
from intrastyler_nnunet.styles.bank import StyleBank

SHAPE = (12, 20, 28)


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, tiny_dataset):
    """Everything that the commands read."""
    root = tmp_path_factory.mktemp("workplace")
    rng = np.random.default_rng(0)
    for name in ("images/a_T2", "images/b_T2", "exemplar", "download/crossmoda2023_etz_1_T2"):
        write(root / f"{name}.nii.gz", rng.normal(size=SHAPE).astype(np.float32))
    for name in ("labels/a.nii.gz", "labels/b.nii.gz", "truth/a.nii.gz", "truth/b.nii.gz"):
        write(root / name, rng.integers(0, 4, SHAPE).astype(np.uint8))
    for path in (tiny_dataset.raw / "imagesTarget").iterdir():
        write(root / "predictions" / path.name.replace("_0000", ""), np.zeros((16, 32, 40), np.uint8))
    grid = SamplingGrid.of(SimpleITK.ReadImage(str(root / "labels" / "a.nii.gz")))
    for case in "ab":
        record = CaseRecord(grid, grid, whole_image=False, settings=Preparation(Region(), localiser=False, inputs=()))
        write_json(asdict(record), root / "geometry" / f"{case}.json")
    (root / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "x": 1, "y": 2, "z": 3}}))
    (root / "coverage.json").write_text(json.dumps({"images": []}))
    generator = tiny_generator()
    generator.save(root / "generator.safetensors")
    export_upstream(generator, root / "latest_net_G.pth")
    vectors = torch.nn.functional.normalize(torch.randn(2, 8), dim=1)
    StyleBank(("x", "y"), vectors, torch.tensor([[0.0, 1.0]] * 2), torch.zeros(2)).save(root / "style_bank.safetensors")
    return root


SPACE = "-d 998 -c tiny -device cpu -g {root}/generator.safetensors -i {raw}/imagesTarget"
TRANSLATE = "translate -g {root}/generator.safetensors -device cpu --style x -i {root}"
COMMANDS = [  # what is written to, and the command
    ("images/a_T2.nii.gz", f"{TRANSLATE}/images/a_T2.nii.gz -o {{output}}"),
    ("labels/a.nii.gz", f"{TRANSLATE}/images/a_T2.nii.gz --labels {{root}}/labels/a.nii.gz -o {{output}}"),
    ("images", f"{TRANSLATE}/images -o {{output}}"),
    ("exemplar.nii.gz", "translate -g {root}/generator.safetensors -device cpu -i {root}/images/a_T2.nii.gz "
     "--exemplar {root}/exemplar.nii.gz -o {output}"),
    ("truth/a.nii.gz", "evaluate -p {root}/labels -g {root}/truth -np 1 -o {output}"),
    ("labels/b.nii.gz", "evaluate -p {root}/labels -g {root}/truth -np 1 -o {output}"),
    ("dataset.json", "evaluate -p {root}/labels -g {root}/truth -np 1 -o {output}"),
    ("generator.safetensors", "export -g {root}/generator.safetensors --to-upstream {output}"),
    ("latest_net_G.pth", "import-upstream {root}/latest_net_G.pth -o {output}"),
    ("generator.safetensors", f"coverage {SPACE} -o {{output}}"),
    ("generator.safetensors", f"report {SPACE} -o {{output}}"),
    ("labels", "crossmoda postprocess -i {root}/labels -o {output}"),
    ("labels", "crossmoda restore -i {root}/labels -r {root}/geometry -o {output}"),
    ("geometry", "crossmoda restore -i {root}/labels -r {root}/geometry -o {output}"),
    ("labels/a.nii.gz", "crossmoda submit -i {root}/labels -r {root}/images -o {output}"),
    ("images/b_T2.nii.gz", "crossmoda submit -i {root}/labels -r {root}/images -o {output}"),
    ("download", "crossmoda localise -i {root}/download -o {output} -np 1"),
    ("truth", "crossmoda localise -i {root}/download -o {output} --predictions {root}/truth -np 1"),
    ("predictions/target_0.nii.gz", "crossmoda pseudo-label -i {root}/predictions -d 998 -c tiny -o {output}"),
    ("coverage.json", "crossmoda pseudo-label -i {root}/predictions -d 998 -c tiny --coverage {root}/coverage.json "
     "-o {output}"),
]  # fmt: skip


def contents(*folders: Path) -> dict[Path, bytes]:
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.name != "style_bank.safetensors"}  # a cache


@pytest.mark.parametrize("way", ["path", "symbolic link", "hard link"])
@pytest.mark.parametrize(("written", "command"), COMMANDS, ids=lambda text: text.split(" -")[0])
def test_an_output_that_is_an_input_is_refused(
    workplace, tiny_dataset, tmp_path, monkeypatch, capsys, written, command, way
):
    tiny_dataset.use(monkeypatch)
    output = workplace / "images" / ".." / written
    if way == "symbolic link":
        output = tmp_path / output.name
        output.symlink_to(workplace / written)
    elif way == "hard link":
        if (workplace / written).is_dir():
            pytest.skip("folders have none")
        output = tmp_path / output.name
        os.link(workplace / written, output)
    before = contents(workplace, tiny_dataset.raw)
    with pytest.raises(SystemExit) as stop:
        main(command.format(root=workplace, raw=tiny_dataset.raw, output=output).split())
    line = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2
    assert f"{output}: is also the input" in line
    assert contents(workplace, tiny_dataset.raw) == before


@pytest.mark.parametrize("command", ["coverage", "report"])
def test_an_image_is_not_written_onto(workplace, tiny_dataset, monkeypatch, capsys, command):
    tiny_dataset.use(monkeypatch)
    output = tiny_dataset.raw / "imagesTarget" / "target_1_0000.nii.gz"
    before = output.read_bytes()
    with pytest.raises(SystemExit) as stop:
        main([command, *SPACE.format(root=workplace, raw=tiny_dataset.raw).split(), "-o", str(output)])
    assert stop.value.code == 2
    assert "is also the input" in capsys.readouterr().err
    assert output.read_bytes() == before


def test_embed_does_not_write_onto_its_generator(workplace, tiny_dataset, tmp_path, monkeypatch, capsys):
    tiny_dataset.use(monkeypatch)
    (tmp_path / "styles.npz").symlink_to(workplace / "generator.safetensors")
    before = contents(workplace)
    with pytest.raises(SystemExit) as stop:
        main(["embed", *SPACE.format(root=workplace, raw=tiny_dataset.raw).split(), "-o", str(tmp_path)])
    assert stop.value.code == 2
    assert "is also the input" in capsys.readouterr().err
    assert contents(workplace) == before


def test_a_second_run_may_replace_the_results_of_the_first(workplace, tmp_path):
    for _ in range(2):
        main(f"crossmoda postprocess -i {workplace}/labels -o {tmp_path}".split())
        main(f"evaluate -p {tmp_path} -g {workplace}/truth -np 1".split())
    assert (tmp_path / "scores.json").is_file()
    assert (tmp_path / "a.nii.gz").is_file()
