"""`intrastyler adapt` on the tiny dataset: what it makes, what it leaves alone, and what it refuses."""

import json
import shutil
import time

import numpy as np
import pytest
import SimpleITK
import torch
from marked_processes import MarkedCommand, contents
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from safetensors.numpy import load_file
from tiny_dataset import CONFIGURATION, tiny_generator
from trained_tiny_dataset import train_tiny

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.styles.bank import StyleBank


def command(dataset, *options) -> list[str]:
    given = ("-i", dataset.new_images, "-m", dataset.model, "--epochs", 2, *options)
    return ["adapt", "-d", "998", "-c", CONFIGURATION, "-device", "cpu", *map(str, given)]


def checkpoint(folder) -> dict:
    return torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=False)


def refused(capsys, arguments: list[str]) -> str:
    """The one line that the command ends with, with code 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("intrastyler adapt: ")]
    assert len(lines) == 1
    return lines[0]


def test_a_stock_model_beside_the_old_one(trained, capsys):
    before = contents(trained.root)
    main(command(trained))
    said = capsys.readouterr().out
    after = contents(trained.root)
    assert {name: after[name] for name in before} == before
    assert all(name.startswith(str(trained.adapted.relative_to(trained.root))) for name in after.keys() - before.keys())
    assert said.index("0 of 2 images outside") < said.index("Epoch 0")

    predictor = nnUNetPredictor(device=torch.device("cpu"))
    predictor.initialize_from_trained_model_folder(str(trained.adapted), None, "checkpoint_final.pth")
    old, new = checkpoint(trained.model), checkpoint(trained.adapted)
    assert new["trainer_name"] == old["trainer_name"] == "nnUNetTrainer"
    changes = [(new["network_weights"][name] - old["network_weights"][name]).norm() for name in old["network_weights"]]
    sizes = [weights.norm() for weights in old["network_weights"].values()]
    assert 0 < sum(changes) < 0.1 * sum(sizes)

    told = new["init_args"]["intrastyler"]["settings"]
    assert told["new_exemplars"] == ["new_0", "new_1"]
    assert told["new_share"] == 0.5
    assert told["exemplar_names"] == ["target_0", "target_1", "target_2", "new_0", "new_1"]
    origin = new["init_args"]["intrastyler_adapted_from"]
    assert origin["provenance"]["settings"]["exemplar_names"] == ["target_0", "target_1", "target_2"]
    assert {row["case"]: row["nearest"] for row in origin["coverage"]} == {"new_0": "target_0", "new_1": "target_1"}
    vectors = StyleBank.load(trained.adapted / "style_bank.safetensors").vectors
    assert torch.allclose(vectors[:2], vectors[3:], atol=0.01)  # the new images are made of these exemplars


def test_an_interrupted_call_ends_with_the_same_weights(trained, monkeypatch, tmp_path, capsys):
    main(command(trained, "-o", tmp_path / "whole"))

    def interrupt(self):
        end_of_epoch(self)
        raise KeyboardInterrupt

    end_of_epoch = nnUNetTrainer.on_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(nnUNetTrainer, "on_epoch_end", interrupt)
        with pytest.raises(SystemExit) as stopped:
            main(command(trained, "-o", tmp_path / "cut"))
    assert stopped.value.code == 130
    torch.manual_seed(5)
    main(command(trained, "-o", tmp_path / "cut"))
    whole, cut = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "cut")
    assert whole["network_weights"].keys() == cut["network_weights"].keys()
    for name, weights in whole["network_weights"].items():
        assert torch.equal(weights, cut["network_weights"][name]), name
    bank = "style_bank.safetensors"
    assert (tmp_path / "whole" / bank).read_bytes() == (tmp_path / "cut" / bank).read_bytes()

    before = contents(tmp_path / "cut")
    main(command(trained, "-o", tmp_path / "cut"))  # nothing is left to do
    assert contents(tmp_path / "cut") == before
    assert "begun with epochs 2, now 3" in refused(capsys, command(trained, "-o", tmp_path / "cut", "--epochs", 3))
    assert contents(tmp_path / "cut") == before


@pytest.mark.slow
def test_kill_9_in_the_middle_changes_no_weight(trained, tmp_path):
    weights = []
    for name in ("undisturbed", "killed"):
        arguments = command(trained, "-o", tmp_path / name, "--epochs", 4)
        process = MarkedCommand(*arguments)
        if name == "killed":
            while not (tmp_path / name / "fold_0" / "checkpoint_latest.pth").is_file():
                time.sleep(0.02)
                assert process.process.poll() is None
            process.process.kill()
            process.process.wait()
            assert process.living() == []
            assert not (tmp_path / name / "fold_0" / "checkpoint_final.pth").is_file()
            process = MarkedCommand(*arguments)
        process.finish()
        weights.append(checkpoint(tmp_path / name)["network_weights"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def source_images(dataset):
    for number in (0, 1):
        image = dataset.raw / "imagesTr" / f"source_{number}_0000.nii.gz"
        shutil.copy(image, dataset.new_images / f"new_{number}_0000.nii.gz")
    return ()


def no_images(dataset):
    shutil.rmtree(dataset.new_images)
    dataset.new_images.mkdir()
    return ()


def thick_slices(dataset):
    path = dataset.new_images / "new_1_0000.nii.gz"
    image = SimpleITK.ReadImage(str(path))
    image.SetSpacing((1.0, 1.0, 8.0))
    SimpleITK.WriteImage(image, str(path))
    return ()


def other_plans(dataset):
    plans = json.loads((dataset.model / "plans.json").read_text())
    plans["configurations"]["3d_fullres"]["spacing"] = [3.0, 1.0, 1.0]
    (dataset.model / "plans.json").write_text(json.dumps(plans))
    return ()


def no_model(dataset):
    return ("-m", dataset.raw)


def damaged_model(dataset):
    (dataset.model / "fold_0" / "checkpoint_final.pth").write_bytes(b"no checkpoint")
    return ()


def unfinished_model(dataset):
    (dataset.model / "fold_0" / "checkpoint_final.pth").unlink()
    return ()


def no_provenance(dataset):
    path = dataset.model / "fold_0" / "checkpoint_final.pth"
    content = checkpoint(dataset.model)
    del content["init_args"]["intrastyler"]
    torch.save(content, path)
    return ()


def other_generator(dataset):
    tiny_generator(seed=1).save(dataset.root / "other.safetensors")
    return ("-g", dataset.root / "other.safetensors")


def name_of_an_exemplar(dataset):
    path = dataset.new_images / "new_0_0000.nii.gz"
    path.rename(path.with_name("target_0_0000.nii.gz"))
    return ()


def another_folder(dataset):
    (dataset.root / "elsewhere").mkdir()
    (dataset.root / "elsewhere" / "notes.txt").touch()
    return ("-o", dataset.root / "elsewhere")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (no_images, "new_images: no .nii.gz files; expected unlabelled target images"),
        (source_images, "its style is 0.0 degrees from the source image source_0 and"),
        (thick_slices, "new_1_0000.nii.gz: voxels of 8 x 1 x 1 mm, expected at most 4 times as coarse or fine as the"),
        (other_plans, "has another spacing [3.0, 1.0, 1.0], expected [1.5, 1.0, 1.0] as in the plans of the data set"),
        (no_model, "Dataset998_Tiny: found no plans.json, expected a folder that nnUNetv2_train wrote"),
        (damaged_model, "checkpoint_final.pth: cannot be read"),
        (unfinished_model, "checkpoint_final.pth: no such file, expected a folder that nnUNetv2_train wrote"),
        (no_provenance, "its checkpoint names no generator, expected a model of nnUNetTrainerIntraStyler"),
        (other_generator, "other.safetensors: is not the generator of"),
        (name_of_an_exemplar, "target_0: is already the name of an exemplar"),
        (another_folder, "elsewhere: is not empty and has no adaptation.json"),
    ],
)
def test_what_cannot_be_adapted_is_told_in_one_line(trained, capsys, change, line):
    options = change(trained)
    before = contents(trained.root)
    assert line in refused(capsys, command(trained, *options))
    assert contents(trained.root) == before


@pytest.mark.slow
def test_style_encoder_and_generator_go_on_first(trained, tmp_path, capsys):
    main(["pretrain", "-d", "998", "-c", CONFIGURATION, "-device", "cpu", "--preset", "mini", "--style-warmup", "2",
          "--iterations", "4", "-np", "0"])  # fmt: skip
    shutil.rmtree(trained.model)
    train_tiny(trained, tmp_path / "settings.json")
    before = contents(trained.root)
    main(command(trained, "--style-encoder-steps", "2", "--epochs", "1"))
    after = contents(trained.root)
    assert {name: after[name] for name in before} == before
    new = trained.adapted / "synthesizer" / "generator.safetensors"
    told = checkpoint(trained.adapted)["init_args"]["intrastyler"]
    assert told["settings"]["generator"] == str(new)
    assert told["generators"][0]["training"]["iteration"] == 2
    moved = [np.abs(a - b).max() for a, b in zip(_weights(trained.generator), _weights(new), strict=True)]
    assert 0 < max(moved) < 0.1


def _weights(path) -> list[np.ndarray]:
    return list(load_file(path).values())
