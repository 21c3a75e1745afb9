"""Runs that are killed, run out of disk, or are spread over processes end as one undisturbed process would."""

import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from killed_writer import leave_half_written

from intrastyler_nnunet.model.generator import Generator

WORKER = Path(__file__).with_name("tiny_run.py")


def start(folders, output: Path, environment: dict[str, str] | None = None, accumulate: int = 1, **options):
    arguments = [sys.executable, WORKER, *folders, output, str(accumulate)]
    return subprocess.Popen([str(a) for a in arguments], env=os.environ | (environment or {}), **options)


def weights(output: Path) -> dict[str, torch.Tensor]:
    return Generator.load(output / "generator.safetensors").state_dict()


@pytest.fixture(scope="module")
def undisturbed(domain_folders, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed")
    assert start(domain_folders, output).wait() == 0
    return weights(output)


def test_three_kills_change_no_bit(domain_folders, undisturbed, tmp_path):
    for count in range(3):
        run = start(domain_folders, tmp_path)
        checkpoint, deadline = tmp_path / "checkpoint.pt", time.time() + 120
        before = checkpoint.stat().st_mtime if checkpoint.exists() else 0
        while run.poll() is None and time.time() < deadline:
            if checkpoint.exists() and checkpoint.stat().st_mtime > before:
                break
            time.sleep(0.02)
        time.sleep(random.Random(count).uniform(0, 0.1))
        run.kill()
        assert run.wait() == -signal.SIGKILL
    leave_half_written(tmp_path / "checkpoint.pt")
    assert start(domain_folders, tmp_path).wait() == 0
    resumed = weights(tmp_path)
    assert all(torch.equal(undisturbed[name], resumed[name]) for name in undisturbed)
    assert not list(tmp_path.glob(".writing-*"))


def test_two_processes_equal_one_that_accumulates(domain_folders, tmp_path):
    assert start(domain_folders, tmp_path / "one", accumulate=2).wait() == 0
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    ranks = [
        start(domain_folders, tmp_path / "two", {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "WORLD_SIZE": "2",
                                                 "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(2)
    ]  # fmt: skip
    assert [rank.wait() for rank in ranks] == [0, 0]
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert max((one[name] - two[name]).abs().max() for name in one) < 1e-5


def test_a_full_disk_leaves_the_checkpoints_that_are_there(domain_folders, undisturbed, tmp_path):
    run = start(domain_folders, tmp_path)
    while not (tmp_path / "checkpoint_previous.pt").exists():
        assert run.poll() is None
        time.sleep(0.02)
    run.kill()
    run.wait()
    half = (tmp_path / "checkpoint.pt").stat().st_size // 2

    def limit_file_size():  # the nearest thing to a full disk that needs no root
        resource.setrlimit(resource.RLIMIT_FSIZE, (half, half))

    before = (tmp_path / "checkpoint.pt").read_bytes()
    full = start(domain_folders, tmp_path, preexec_fn=limit_file_size, stderr=subprocess.PIPE, text=True)
    message = full.communicate()[1]
    assert full.returncode == 2
    assert "earlier checkpoints are intact" in message.splitlines()[-1]
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert not list(tmp_path.glob(".writing-*"))
    assert start(domain_folders, tmp_path).wait() == 0
    resumed = weights(tmp_path)
    assert all(torch.equal(undisturbed[name], resumed[name]) for name in undisturbed)
