"""One folder with all that the commands read, made once and copied for every situation."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import SimpleITK
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from tiny_dataset import CONFIGURATION, TinyDataset, make_tiny_dataset, tiny_generator, write_image

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.crossmoda.prepare import CaseRecord, Preparation
from intrastyler_nnunet.crossmoda.region import Region
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.grids import SamplingGrid
from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.model.released_weights import export_upstream
from intrastyler_nnunet.simulation.challenge import plan_challenge, write_challenge_case
from intrastyler_nnunet.styles.bank import StyleBank

from .commands import RUN

SHAPE = (12, 20, 28)
ENVIRONMENT = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")


def enter(root: Path) -> None:
    """Work in `root`: all paths of the commands are relative to it."""
    os.chdir(root)
    os.environ.update({name: str(root / name) for name in ENVIRONMENT})


def copy(template: Path, root: Path) -> None:
    """Make `root` anew."""
    os.chdir("/")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root, symlinks=True)
    enter(root)


def make_workplace(root: Path) -> None:
    """Everything that the commands read."""
    dataset = make_tiny_dataset(root)
    enter(root)
    run("add-target -d 998 -c tiny -np 1")
    rng = np.random.default_rng(0)
    write_image(root / "exemplar.nii.gz", rng.normal(size=SHAPE).astype(np.float32))
    for name in ("images/a_T2", "images/b_T2"):
        write_image(root / f"{name}.nii.gz", rng.normal(size=SHAPE).astype(np.float32))
        for path in (f"labels/{name[-4]}", f"truth/{name[-4]}", f"hints/{name[-4:]}"):
            write_image(root / f"{path}.nii.gz", rng.integers(0, 4, SHAPE).astype(np.uint8))
    shutil.copytree(dataset.raw / "imagesTarget", root / "new")
    (root / "predictions").mkdir()
    for number in range(3):
        source = dataset.raw / "labelsTr" / f"source_{number}.nii.gz"
        shutil.copy(source, root / "predictions" / f"target_{number}.nii.gz")
    cases = plan_challenge("tiny", 3)
    for split in ("source", "target", "validation"):
        write_challenge_case(next(case for case in cases if case.split == split), root / "download", 3)
    _write_records(root)
    _write_models(root, dataset)
    run(f"{RUN} -o run")
    run("coverage -d 998 -c tiny -device cpu -g generator.safetensors -i new -o coverage.json")
    for team in ("team", "rival"):
        run(f"evaluate -p labels -g truth -np 1 -o {team}.json")


def run(command: str) -> None:
    """Run a command, given as a line."""
    main(command.split())


def _write_records(root: Path) -> None:
    grid = SamplingGrid.of(SimpleITK.ReadImage(str(root / "labels" / "a.nii.gz")))
    for case in "ab":
        record = CaseRecord(grid, grid, whole_image=False, settings=Preparation(Region(), localiser=False, inputs=()))
        write_json(asdict(record), root / "geometry" / f"{case}.json")
    labels = {"background": 0, "extra_meatal": 1, "intra_meatal": 2, "cochlea": 3}
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))


def _write_models(root: Path, dataset: TinyDataset) -> None:
    generator = tiny_generator()
    generator.save(root / "generator.safetensors")
    tiny_generator(label_hint=LabelHint()).save(root / "hinted.safetensors")
    export_upstream(generator, root / "latest_net_G.pth")
    vectors = torch.nn.functional.normalize(torch.randn(2, 8, generator=torch.manual_seed(0)), dim=1)
    StyleBank(("x", "y"), vectors, torch.tensor([[0.0, 1.0]] * 2), torch.zeros(2)).save(root / "style_bank.safetensors")
    plans = json.loads((dataset.preprocessed / "nnUNetPlans.json").read_text()) | {"continue_training": False}
    description = json.loads((dataset.preprocessed / "dataset.json").read_text())
    trainer = nnUNetTrainer(plans, CONFIGURATION, 0, description, torch.device("cpu"))
    trainer.initialize()
    fold = root / "model" / "fold_0"
    fold.mkdir(parents=True)
    trainer.save_checkpoint(str(fold / "checkpoint_final.pth"))
    (root / "model" / "plans.json").write_text(json.dumps(plans))
    (root / "model" / "dataset.json").write_text(json.dumps(description))


def downloaded(template: Path) -> dict[str, str]:
    """Paths, relative to the workplace, of a source image, its label map and a target image of the download."""
    paths = [path.relative_to(template) for path in sorted((template / "download").rglob("*.nii.gz"))]
    kinds = {"source": "_ceT1", "labels": "_Label", "target": "_T2"}
    return {
        kind: str(next(path for path in paths if ending in path.name and "validation" not in str(path)))
        for kind, ending in kinds.items()
    }
