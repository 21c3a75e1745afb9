"""Processes end with the one they work for, whichever way it goes."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.workers import run_program, workers

POOL = """
import os, sys, time
from intrastyler_nnunet.errors import one_line_errors
from intrastyler_nnunet.workers import workers

def work(_):
    os.write(1, f"{os.getpid()}\\n".encode())  # a whole line, whatever the other worker writes
    time.sleep(60)

if __name__ == "__main__":
    with one_line_errors("pool"), workers(2) as pool:
        list(pool.map(work, range(8)))
"""
# A DataLoader, as the pretraining uses it: it takes its workers seconds to import torch.
LOADER = """
import os, time
from intrastyler_nnunet.errors import one_line_errors
from intrastyler_nnunet.workers import WorkerContext, one_line_for_killed

class Slow:
    def __len__(self):
        return 8

    def __getitem__(self, _):
        os.write(1, f"{os.getpid()}\\n".encode())
        time.sleep(3)

if __name__ == "__main__":
    from torch.utils.data import DataLoader

    with one_line_errors("loader"), one_line_for_killed():
        list(DataLoader(Slow(), num_workers=2, multiprocessing_context=WorkerContext()))
"""
# A shell that starts two processes and waits for one of them: stands in for nnU-Net, which starts its own.
PROGRAM = """
from intrastyler_nnunet.errors import one_line_errors
from intrastyler_nnunet.workers import run_program

with one_line_errors("program"):
    run_program(["sh", "-c", "sleep 60 & echo $!; sleep 60 & echo $!; wait"])
"""


def process_of(script: str, folder: Path) -> subprocess.Popen:
    """Start a script in a session of its own."""
    path = folder / "script.py"
    path.write_text(script)
    return subprocess.Popen(
        [sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def running_after(seconds: float, processes: list[int]) -> list[int]:
    """Those of `processes` that run still; looks until none does, for so long."""
    deadline = time.monotonic() + seconds
    while (left := list(filter(is_running, processes))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("script", [POOL, LOADER, PROGRAM], ids=["pool", "loader", "program"])
def test_all_end_with_a_parent_that_is_killed(tmp_path, script, how):
    with process_of(script, tmp_path) as parent:
        children = [int(parent.stdout.readline()) for _ in range(2)]
        assert list(map(is_running, children)) == [True, True]
        parent.send_signal(how)
    assert running_after(5, children) == []


@pytest.mark.parametrize("delay", [0.3, 0.5, 0.8])
def test_a_worker_that_is_still_starting_ends_too(tmp_path, delay):
    with process_of(LOADER, tmp_path) as parent:
        deadline = time.monotonic() + 60
        while not workers_of(parent.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(delay)
        started = workers_of(parent.pid)
        parent.kill()
    assert started
    assert running_after(5, started) == []


def workers_of(process: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(process), "-f", "spawn_main"], capture_output=True, text=True)
    return [int(line) for line in listed.stdout.split()]


@pytest.mark.parametrize("script", [POOL, LOADER, PROGRAM], ids=["pool", "loader", "program"])
def test_control_c_is_one_line(tmp_path, script):
    """The terminal sends it to all processes of the group; here even twice."""
    with process_of(script, tmp_path) as parent:
        children = [int(parent.stdout.readline()) for _ in range(2)]
        for _ in range(2):
            os.killpg(parent.pid, signal.SIGINT)
        message = parent.stderr.read()
        assert parent.wait() == 130
    assert re.fullmatch(r"\s*\w+: interrupted\n", message)
    assert running_after(5, children) == []


@pytest.mark.parametrize("script", [POOL, LOADER], ids=["pool", "loader"])
def test_a_killed_worker_is_one_line(tmp_path, script):
    with process_of(script, tmp_path) as parent:
        first, second = (int(parent.stdout.readline()) for _ in range(2))
        os.kill(first, signal.SIGKILL)
        message = parent.stderr.read()
        assert parent.wait() == 2
    assert re.fullmatch(r"\w+: a worker was killed, probably for lack of memory; lower -np\n", message)
    assert running_after(5, [second]) == []


def test_what_a_program_leaves_running_ends_with_it(tmp_path):
    record = tmp_path / "left"
    assert run_program(["sh", "-c", f"sleep 60 & echo $! > {record}; exit 3"]) == 3
    assert running_after(5, [int(record.read_text())]) == []


def test_no_worker_is_too_few():
    with pytest.raises(InputError, match="-np is 0, expected 1 or more"), workers(0):
        pass
