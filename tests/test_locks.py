"""Two commands do not write to one folder at once."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.locks import LOCK_FILE, is_alive, locked, locked_in_turn

HOLDER = """
import sys, time
from pathlib import Path
from intrastyler_nnunet.locks import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of tmp_path/out."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_one_is_told_who_is_first(holder, tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(InputError) as refused, locked(folder):
        pass
    assert str(refused.value).startswith(f"{folder}: process {holder.pid} on {socket.gethostname()} is writing here")
    assert "\n" not in str(refused.value)


def test_a_lock_ends_with_its_process(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "out" / LOCK_FILE).exists()
    with locked(tmp_path / "out"):
        assert (tmp_path / "out" / LOCK_FILE).read_text() == f"{socket.gethostname()} {os.getpid()}\n"


def test_nothing_is_left_of_a_lock(tmp_path):
    (tmp_path / "old").mkdir()
    with locked(tmp_path / "old"), locked(tmp_path / "new"), locked(tmp_path / "written"):
        (tmp_path / "written" / "result").touch()
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["old", "written", "written/result"]


def test_folders_do_not_hinder_each_other(holder, tmp_path):
    with locked(tmp_path / "other"), locked(tmp_path / "other" / "below"):
        assert holder.poll() is None


def test_of_many_at_once_one_is_inside(tmp_path):
    """Each adds one to a number that it read before a pause: an addition is lost if two are inside."""
    program = """
import sys, time
from pathlib import Path
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.locks import locked

count, done = Path(sys.argv[1]) / "count", 0
while done < 20:
    try:
        with locked(count.parent):
            before = int(count.read_text())
            time.sleep(0.001)
            count.write_text(str(before + 1))
            done += 1
    except InputError:
        time.sleep(0.0005)
"""
    (tmp_path / "count").write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert (tmp_path / "count").read_text() == "80"


def test_who_is_alive():
    with subprocess.Popen(["true"]) as gone:
        pass
    assert is_alive(os.getpid())
    assert not is_alive(gone.pid)


def test_a_file_in_the_place_of_a_lock_is_not_waited_for(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match="found a file there"), locked_in_turn(tmp_path / "out"):
        pass


def test_a_record_of_this_very_process_is_of_an_earlier_one(tmp_path, monkeypatch):
    """Without locks, as in a container that was killed, whose process had the number that this one has."""

    def no_locks(*_):
        raise OSError

    monkeypatch.setattr("fcntl.flock", no_locks)
    (tmp_path / LOCK_FILE).write_text(f"{socket.gethostname()} {os.getpid()}\n")
    with locked(tmp_path):
        pass
    (tmp_path / LOCK_FILE).write_text(f"{socket.gethostname()} {os.getppid()}\n")
    with pytest.raises(InputError, match="is writing here"), locked(tmp_path):
        pass
