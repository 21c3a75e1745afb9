"""The mean of generators' weights, from files to a file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tiny_dataset import tiny_generator

from intrastyler_nnunet.model.generator import Generator

ROOT = Path(__file__).parents[3]


def _mean_of(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmarks.quality.mean_of_weights", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_every_weight_is_the_mean(tmp_path):
    files = [str(tmp_path / name) for name in ("a", "b", "c")]
    for seed, file in enumerate(files):
        tiny_generator(seed=seed, training={"iteration": seed}).save(file)
    finished = _mean_of(*files, "-o", str(tmp_path / "mean"))
    assert finished.returncode == 0, finished.stderr
    mean, parts = load_file(tmp_path / "mean"), [load_file(file) for file in files]
    assert mean.keys() == parts[0].keys()
    for name, values in mean.items():
        np.testing.assert_allclose(values, (parts[0][name] + parts[1][name] + parts[2][name]) / 3, atol=1e-6)
    assert Generator.load(tmp_path / "mean").metadata.training == {"mean_of": [{"iteration": n} for n in range(3)]}


def test_other_kind(tmp_path):
    tiny_generator().save(tmp_path / "a")
    tiny_generator(patch_size=(8, 16, 16)).save(tmp_path / "b")
    finished = _mean_of(str(tmp_path / "a"), str(tmp_path / "b"), "-o", str(tmp_path / "mean"))
    assert finished.returncode == 2
    assert f"{tmp_path / 'b'}: another architecture or data than {tmp_path / 'a'}" in finished.stderr
    assert not (tmp_path / "mean").exists()
