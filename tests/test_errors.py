"""How a command ends: its exit code, and what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys, warnings
from intrastyler_nnunet.errors import InputError, one_line_errors

with one_line_errors("program"):
    {}
print("went on")
"""


def ended(body: str, shell: str = "", **options) -> subprocess.CompletedProcess:
    """Run a program of this body within `one_line_errors`; `shell` follows the command in a shell."""
    command = [sys.executable, "-c", PROGRAM.format(body)]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}; exit ${{PIPESTATUS[0]}}', "bash", *command]
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("raise InputError('case.nii.gz: found none, expected one')", "case.nii.gz: found none, expected one"),
        ("open('/nowhere/file')", "/nowhere/file: No such file or directory"),
        ("open('/')", "/: Is a directory"),
        ("raise OSError('no number\\nand two lines')", "no number"),
        ("raise BrokenPipeError(32, 'Broken pipe', 'fifo')", "fifo: Broken pipe"),
        ("import shutil; shutil.copytree('/nowhere', '/tmp/x')", "/nowhere: No such file or directory"),
    ],
)
def test_bad_input_and_the_systems_errors_are_one_line(body, expected):
    finished = ended(body)
    assert finished.returncode == 2
    assert finished.stderr == f"program: {expected}\n"
    assert finished.stdout == ""


def test_nothing_goes_wrong():
    finished = ended("pass")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "went on\n", "")


def test_a_reader_that_has_gone_ends_it_quietly():
    finished = ended("print('line\\n' * 100_000)", "| head -1")
    assert (finished.returncode, finished.stdout, finished.stderr) == (141, "line\n", "")


def test_a_reader_that_has_gone_before_the_last_line_does_too():
    """The few bytes are written at the very end only."""
    finished = ended("import time; time.sleep(0.5); print('line')", "| true")
    assert (finished.returncode, finished.stderr) == (141, "")


def test_a_full_disk_under_standard_output_is_one_line():
    finished = ended("print('line')", "> /dev/full")
    assert (finished.returncode, finished.stderr) == (2, "program: No space left on device\n")


def test_without_standard_output_all_goes_on():
    finished = ended("print('line')", ">&-")
    assert (finished.returncode, finished.stderr) == (0, "")


def test_without_standard_error_the_code_remains():
    finished = ended("raise InputError('none')", "2>&-")
    assert finished.returncode == 2


def test_the_message_begins_on_a_line_of_its_own_after_a_progress_bar(tmp_path):
    body = """
    from tqdm import tqdm
    for _ in tqdm(range(3), "cases"):
        raise InputError("bad")
"""
    finished = ended(body)
    assert finished.stderr.splitlines()[-1] == "program: bad"
    assert finished.stderr.endswith("\nprogram: bad\n")


def test_a_librarys_warning_is_one_line():
    finished = ended("warnings.warn('first\\nsecond')")
    assert (finished.returncode, finished.stderr) == (0, "warning: first\n")


@pytest.mark.parametrize("module", ["cli", "crossmoda.container_entry"])
def test_both_entries_end_that_way(tmp_path, module):
    arguments = {"cli": ["evaluate", "-p", "no", "-g", "no"], "crossmoda.container_entry": ["no", "no", "no"]}[module]
    command = [sys.executable, "-m", f"intrastyler_nnunet.{module}", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    finished = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert finished.returncode == 2
    assert re.fullmatch(r"(device: .*\n)?(intrastyler evaluate|container): no: .*\n", finished.stderr)
