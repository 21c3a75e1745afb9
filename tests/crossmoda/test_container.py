"""The container's entry, without a container engine: against the same steps as separate commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from tiny_dataset import CONFIGURATION, run_command

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.simulation.challenge import plan_challenge, write_challenge_case

SEED = 5
REGION = ("--spacing", "2", "2", "3", "--size", "48", "32", "12")


@pytest.fixture
def model(own_dataset) -> Path:
    """An untrained network, saved as nnU-Net saves a trained one."""
    plans = json.loads((own_dataset.preprocessed / "nnUNetPlans.json").read_text())
    dataset_json = json.loads((own_dataset.preprocessed / "dataset.json").read_text())
    dataset_json["labels"] = {"background": 0, "tumour": 1, "cochlea": 2}  # as until 2022
    torch.manual_seed(0)
    trainer = nnUNetTrainer(plans | {"continue_training": False}, CONFIGURATION, 0, dataset_json, torch.device("cpu"))
    trainer.initialize()
    Path(trainer.output_folder).mkdir(parents=True, exist_ok=True)
    trainer.save_checkpoint(str(Path(trainer.output_folder) / "checkpoint_final.pth"))
    folder = Path(trainer.output_folder_base)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset_json))
    return folder


@pytest.fixture
def download(tmp_path) -> Path:
    case = next(case for case in plan_challenge("tiny", SEED) if case.split == "validation")
    write_challenge_case(case, tmp_path / "download", SEED)
    return tmp_path / "download"


def steps(folder: Path, model: Path) -> np.ndarray:
    """localise, prepare, predict, postprocess, restore."""
    download, cut = folder / "download", folder / "nnunet" / "nnUNet_raw" / "Dataset991_CrossMoDA2023"
    crossmoda = ["crossmoda", "localise", "-i", download, "-o", folder / "cochleae", "-np", 1]
    main([str(part) for part in crossmoda])
    main([str(part) for part in ("crossmoda", "prepare", "-i", download, "-d", 991, "--cochleae", folder / "cochleae",
                                 *REGION, "-np", 1)])  # fmt: skip
    run_command("nnUNetv2_predict_from_modelfolder", "-i", cut / "imagesTs", "-o", folder / "predictions", "-m", model,
                "-f", "0", "-device", "cpu", "-npp", "1", "-nps", "1", environment={})  # fmt: skip
    main(["crossmoda", "postprocess", "-i", str(folder / "predictions"), "-o", str(folder / "cleaned"),
          "--edition", "2022"])  # fmt: skip
    main(["crossmoda", "restore", "-i", str(folder / "cleaned"), "-r", str(cut / "geometry"),
          "-o", str(folder / "restored"), "--edition", "2022"])  # fmt: skip
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(next((folder / "restored").glob("*.nii.gz")))))


def run_entry(context: Path, images: Path, output: Path) -> subprocess.CompletedProcess:
    """As the Dockerfile's ENTRYPOINT, with the copied package instead of the installed one."""
    environment = {**os.environ, "PYTHONPATH": str(context), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "intrastyler_nnunet.crossmoda.container_entry", images, output, context / "model"]
    return subprocess.run(command, env=environment, cwd=context, capture_output=True, text=True)


@pytest.mark.slow
def test_the_entry_gives_what_the_separate_steps_give(model, download, tmp_path):
    expected = steps(tmp_path, model)
    context = tmp_path / "container"
    records = tmp_path / "nnunet" / "nnUNet_raw" / "Dataset991_CrossMoDA2023" / "geometry"
    main(["crossmoda", "container", "-m", str(model), "-r", str(records), "-o", str(context)])
    dockerfile = (context / "Dockerfile").read_text()
    assert "USER 1000" in dockerfile
    assert f"torch=={torch.__version__.split('+')[0]}" in dockerfile

    images, output = download / "crossmoda23_validation", tmp_path / "output"
    finished = run_entry(context, images, output)
    assert finished.returncode == 0, finished.stderr
    image_path = next(images.iterdir())
    written = SimpleITK.ReadImage(str(output / image_path.name.replace("_T2", "")))
    assert written.GetPixelID() == SimpleITK.sitkUInt8
    original = SimpleITK.ReadImage(str(image_path))
    assert written.GetSize() == original.GetSize()
    assert np.allclose(written.GetDirection(), original.GetDirection())
    assert expected.any()
    assert np.array_equal(SimpleITK.GetArrayFromImage(written), expected)

    # A damaged image is named, and does not cost the others their label maps.
    (images / "broken_T2.nii.gz").write_bytes(b"no image")
    two_dimensional = SimpleITK.Image([8, 8], SimpleITK.sitkInt16)
    SimpleITK.WriteImage(two_dimensional, str(images / "a_flat_T2.nii.gz"))
    finished = run_entry(context, images, tmp_path / "again")
    assert finished.returncode == 2
    assert "broken_T2.nii.gz: truncated or damaged" in finished.stderr
    assert "a_flat_T2.nii.gz: found 2 dimensions" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert [path.name for path in (tmp_path / "again").iterdir()] == [image_path.name.replace("_T2", "")]


@pytest.mark.parametrize(
    ("missing", "expected"), [("model", "no fold_*/checkpoint_final.pth"), ("records", "no record")]
)
def test_an_incomplete_context_is_not_written(model, tmp_path, capsys, missing, expected):
    folders = {"model": model, "records": tmp_path / "geometry"}
    (tmp_path / "geometry").mkdir()
    if missing == "model":
        next(model.glob("fold_*/checkpoint_final.pth")).unlink()
    with pytest.raises(SystemExit) as stop:
        main(["crossmoda", "container", "-m", str(folders["model"]), "-r", str(folders["records"]),
              "-o", str(tmp_path / "context")])  # fmt: skip
    assert stop.value.code == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "context").exists()
