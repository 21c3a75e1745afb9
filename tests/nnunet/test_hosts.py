"""Two folds of a cluster start at once: hosts with process numbers of their own share the folder of results alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from plugin_commands import SHORT, TRAINER, with_plugin
from tiny_dataset import CONFIGURATION, TinyDataset, tiny_generator

from intrastyler_nnunet.styles.bank import BANK_FILE, StyleBank

# Each host has its own network, processes and name, and cannot write to the copy of the data that it was given.
NAMESPACES = ("unshare", "--map-root-user", "--mount", "--net", "--uts", "--pid", "--fork", "--mount-proc")
HOST = """
set -e
mount --bind "$nnUNet_preprocessed" "$nnUNet_preprocessed"
mount -o remount,bind,ro "$nnUNet_preprocessed"
hostname "$1"
shift
echo "process $$"
exec "$@"
"""


def can_make_hosts() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*NAMESPACES, "hostname", "node"], capture_output=True).returncode == 0


def start(dataset: TinyDataset, root: Path, fold: int) -> subprocess.Popen:
    """A host of its own that trains `fold` on its own copy of the preprocessed data."""
    own = root / f"node{fold}" / "nnUNet_preprocessed"
    shutil.copytree(dataset.preprocessed.parent, own)
    program = Path(sys.executable).with_name("nnUNetv2_train")
    command = (program, "998", CONFIGURATION, str(fold), "-tr", TRAINER, "-device", "cpu")
    environment = with_plugin(dataset, root) | {"nnUNet_preprocessed": str(own), "nnUNet_n_proc_DA": "1"}
    return subprocess.Popen(
        [*NAMESPACES, "bash", "-c", HOST, "host", f"node{fold}", *command],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not can_make_hosts(), reason="namespaces are not allowed")
def test_two_folds_on_two_hosts_start_at_once_and_make_one_bank(own_dataset, tmp_path):
    cases = [f"source_{number}" for number in range(5)]
    splits = [{"train": [case for case in cases if case != left], "val": [left]} for left in cases]
    (own_dataset.preprocessed / "splits_final.json").write_text(json.dumps(splits))
    tiny_generator().save(tmp_path / "generator.safetensors")
    settings = SHORT | {"generator": str(tmp_path / "generator.safetensors")}
    (tmp_path / "settings.json").write_text(json.dumps(settings))

    hosts = [start(own_dataset, tmp_path, fold) for fold in (0, 1)]
    printed = [host.communicate()[0] for host in hosts]

    assert [host.returncode for host in hosts] == [0, 0], printed
    assert printed[0].splitlines()[0] == printed[1].splitlines()[0]  # both have the same process number
    banks = list(own_dataset.results.rglob("*bank*"))
    assert [path.name for path in banks] == [BANK_FILE]
    folder = own_dataset.results / f"{TRAINER}__nnUNetPlans__{CONFIGURATION}"
    records = [
        torch.load(folder / f"fold_{fold}" / "checkpoint_final.pth", map_location="cpu", weights_only=False)
        for fold in (0, 1)
    ]
    first, second = (record["init_args"]["intrastyler"]["settings"]["bank_fingerprint"] for record in records)
    assert first == second == StyleBank.load(banks[0]).fingerprint
