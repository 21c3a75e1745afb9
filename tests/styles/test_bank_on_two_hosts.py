"""Two trainings on two hosts that share a disk, started at once on a read-only copy of the preprocessed cases.

A host is a namespace of its own for process numbers (so that both have the same one), host name and mounts.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.translation.windows import read_windows, windows_file

NAMESPACE = ("unshare", "--pid", "--fork", "--mount", "--uts")
HOST = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && hostname "$2" && shift 2 && exec "$@"'
FOLD = """
import json, os, socket, sys, time
from pathlib import Path
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.styles import bank
root, other = Path(sys.argv[1]), sys.argv[2]
generator = Generator.load(root / "generator.safetensors")
built, build = [], bank.build_style_bank
def slow(*arguments):
    built.append(1)
    time.sleep(1)  # the other one finds it at work
    return build(*arguments)
bank.build_style_bank = slow
(root / f"ready-{socket.gethostname()}").touch()
while not (root / f"ready-{other}").exists():
    time.sleep(0.01)
found = bank.style_bank(generator, root / "generator.safetensors", root / "node" / "target", (8, 12, 12), root / "bank")
print(json.dumps([os.getpid(), len(built), found.fingerprint]))
"""


def may_make_namespaces() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_make_namespaces(), reason="may not make namespaces here")
def test_both_end_and_one_bank_is_built(tmp_path):
    torch.manual_seed(0)
    Generator(GeneratorConfig(width=4, style_width=4, style_dim=8), GeneratorMetadata()).save(
        tmp_path / "generator.safetensors"
    )
    folder = tmp_path / "original" / "target"
    folder.mkdir(parents=True)
    for case in range(3):
        data = np.random.default_rng(case).normal(size=(1, 8, 18, 20)).astype(np.float32)
        nnUNetDatasetBlosc2.save_case(data, np.zeros_like(data, np.int16), {}, str(folder / f"case_{case}"))
    read_windows(folder)
    node = tmp_path / "node"
    shutil.copytree(folder, node / "target", copy_function=shutil.copyfile)  # with times of its own
    shutil.copy(windows_file(folder), node)
    written = {path: path.read_bytes() for path in node.rglob("*") if path.is_file()}
    folds = [
        subprocess.Popen(
            [*NAMESPACE, "sh", "-c", HOST, "sh", str(node), host, sys.executable, "-c", FOLD, str(tmp_path), other],
            stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        for host, other in (("one", "two"), ("two", "one"))
    ]  # fmt: skip
    outputs = [fold.communicate(timeout=300)[0] for fold in folds]
    assert [fold.returncode for fold in folds] == [0, 0]
    (first, built, fingerprint), (second, built_too, same) = map(json.loads, outputs)
    assert first == second, "the hosts number their processes alike"
    assert built + built_too == 1
    assert fingerprint == same == StyleBank.load(tmp_path / "bank").fingerprint
    assert {path: path.read_bytes() for path in node.rglob("*") if path.is_file()} == written
