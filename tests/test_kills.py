"""kill -9 at any moment: no process lives on, and the same command ends with the bytes of an undisturbed one."""

import io
import json
import random
import shutil
import time
from pathlib import Path

import pytest
import torch
from marked_processes import MarkedCommand, contents
from tiny_dataset import CONFIGURATION, TinyDataset, tiny_generator

from intrastyler_nnunet.model.config import preset
from intrastyler_nnunet.simulation.challenge import plan_challenge, write_challenge_case

KILLS = 20  # with the mark "matrix"; the suite has fewer
SMALL_REGION = ("--spacing", "2", "2", "3", "--size", "48", "20", "8")


class Simulate:
    """SimCrossMoDA, two images at a time."""

    arguments = ("simulate", "--scale", "tiny", "-np", "2")
    output = "nnUNet_raw"

    def prepare(self, root: Path) -> None:
        (root / "nnUNet_raw").mkdir()


class AddTarget:
    """Six target images through the plans."""

    arguments = ("add-target", "-d", "998", "-np", "2")
    output = "nnUNet_preprocessed"

    def prepare(self, root: Path) -> None:
        dataset = TinyDataset(root)
        for path in dataset.preprocessed.glob("*_target*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in list((dataset.raw / "imagesTarget").iterdir()):
            shutil.copy2(path, path.with_name(f"more_{path.name}"))


class Prepare:
    """A simulated download, cut."""

    arguments = ("crossmoda", "prepare", "-i", "download", "-d", "991", "-np", "2", *SMALL_REGION)
    output = "nnUNet_raw/Dataset991_CrossMoDA2023"

    def prepare(self, root: Path) -> None:
        for case in plan_challenge("tiny", 3)[:4]:
            write_challenge_case(case, root / "download", 3)


class Synthesize:
    """Two styles of each source image."""

    arguments = ("synthesize", "-d", "998", "-c", CONFIGURATION, "-o", "997", "-g", "generator.safetensors", "-device",
                 "cpu", "--styles-per-case", "2")  # fmt: skip
    output = "nnUNet_raw/Dataset997_TinyTranslated"

    def prepare(self, root: Path) -> None:
        tiny_generator().save(root / "generator.safetensors")


class Pretrain:
    """Six steps, with two processes that read ahead."""

    arguments = ("pretrain", "-d", "998", "-c", CONFIGURATION, "-device", "cpu", "--preset", "mini", "--style-warmup",
                 "2", "--iterations", "6", "-np", "2", "-o", "run")  # fmt: skip
    output = "run"

    def prepare(self, root: Path) -> None:
        assert preset("mini")


class Demo:
    """Everything, of the smallest size."""

    arguments = ("demo",)
    output = "demo"
    program = (str(Path(__file__).with_name("demo") / "tiny_demo.py"),)

    def prepare(self, root: Path) -> None:
        pass


def environment_of(root: Path) -> dict[str, str]:
    return {name: str(root / name) for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}


def comparable(folder: Path) -> dict[str, object]:
    """Contents without clocks: the times at which files were written, and how long things took."""
    found = {}
    for name, content in contents(folder).items():
        if name.endswith("_intensity_windows.json"):
            content = {case: entry["window"] for case, entry in json.loads(content).items()}
        elif name == "summary.json":
            content = json.loads(content)["methods"]
        elif name.endswith(".pth"):
            weights = torch.load(io.BytesIO(content), weights_only=False)["network_weights"]
            content = {key: tensor.numpy().tobytes() for key, tensor in weights.items()}
        timed = "wall_time/" in name or name.startswith("logs/") or "training_log_" in name
        if not timed and not name.endswith((".png", "stats.jsonl", "debug.json")):
            found[name] = content
    return found


def run_killed(kind, tiny_dataset, tmp_path: Path, kills: int, monkeypatch) -> None:
    """One undisturbed run, and one that is killed `kills` times, from the same data."""
    template = tmp_path / "template"
    shutil.copytree(tiny_dataset.root, template)
    if kind.output == "nnUNet_raw":
        shutil.rmtree(template / "nnUNet_raw")
    kind.prepare(template)
    results, program = {}, getattr(kind, "program", ("-m", "intrastyler_nnunet.cli"))
    duration, rng = 0.0, random.Random(kind.__class__.__name__)
    for name in ("undisturbed", "killed"):
        root = tmp_path / "work"  # the same path in both runs: records name their inputs
        shutil.copytree(template, root)
        monkeypatch.chdir(root)
        for _ in range(kills if name == "killed" else 0):
            command = MarkedCommand(*kind.arguments, environment=environment_of(root), program=program)
            if not command.kill(rng.uniform(0, duration)):
                break
            assert command.living() == []
        begun = time.monotonic()
        command = MarkedCommand(*kind.arguments, environment=environment_of(root), program=program)
        command.finish()
        duration = time.monotonic() - begun
        assert command.living() == []
        results[name] = comparable(root / kind.output)
        assert not [path for path in results[name] if "/." in f"/{path}"]
        root.rename(tmp_path / name)
    assert results["killed"].keys() == results["undisturbed"].keys()
    differing = [path for path, content in results["killed"].items() if content != results["undisturbed"][path]]
    assert differing == []


def test_a_simulation_that_is_killed_twice(tiny_dataset, tmp_path, monkeypatch):
    run_killed(Simulate(), tiny_dataset, tmp_path, 2, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AddTarget, Synthesize, Pretrain])
def test_commands_that_are_killed(kind, tiny_dataset, tmp_path, monkeypatch):
    run_killed(kind(), tiny_dataset, tmp_path, 3, monkeypatch)


@pytest.mark.matrix
@pytest.mark.parametrize("kind", [AddTarget, Prepare, Synthesize, Pretrain, Simulate])
def test_commands_that_are_killed_over_and_over(kind, tiny_dataset, tmp_path, monkeypatch):
    run_killed(kind(), tiny_dataset, tmp_path, KILLS, monkeypatch)


@pytest.mark.matrix
def test_a_demo_that_is_killed_over_and_over(tiny_dataset, tmp_path, monkeypatch):
    run_killed(Demo(), tiny_dataset, tmp_path, KILLS, monkeypatch)


@pytest.mark.slow
def test_a_killed_demo_stops_simulating(tmp_path):
    for delay in (3, 12):
        command = MarkedCommand("demo", "-o", tmp_path / "demo")
        command.kill(delay)
        assert command.living() == []
