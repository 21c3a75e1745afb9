"""Two commands at once in one folder: the second is refused in one line, and the first is not disturbed."""

import os

import pytest
from marked_processes import MarkedCommand, contents
from tiny_dataset import CONFIGURATION, tiny_generator

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.simulation.challenge import plan_challenge, write_challenge_case
from intrastyler_nnunet.simulation.plan import plan_dataset

RAW, PREPROCESSED = "nnunet/nnUNet_raw", "nnunet/nnUNet_preprocessed"
RUN = "nnunet/nnUNet_results/Dataset998_Tiny/IntraStyler__nnUNetPlans__tiny"
COMMANDS = {  # folders that are written, and commands
    "add-target": (f"{PREPROCESSED}/Dataset998_Tiny", ["add-target", "-d", "998", "-np", "1"]),
    "pretrain": (RUN, ["pretrain", "-d", "998", "-c", CONFIGURATION, "-device", "cpu", "--preset", "mini",
                       "--iterations", "2", "--style-warmup", "1", "-np", "0"]),
    "prepare": (f"{RAW}/Dataset991_CrossMoDA2023", ["crossmoda", "prepare", "-i", "download", "-d", "991", "-np", "1"]),
    "synthesize": (f"{RAW}/Dataset997_TinyTranslated", ["synthesize", "-d", "998", "-c", CONFIGURATION, "-o", "997",
                                                        "-g", "generator.safetensors", "-device", "cpu"]),
    "demo": ("demo", ["demo", "-o", "demo", "-device", "cpu"]),
    "simulate": (f"{RAW}/Dataset990_SimCrossMoDA", ["simulate", "--scale", "tiny", "-np", "1"]),
    "simulate --as-crossmoda": ("other", ["simulate", "--scale", "tiny", "--as-crossmoda", "other", "-np", "1"]),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_another_process_writes_is_left_alone(name, own_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder, arguments = COMMANDS[name]
    tiny_generator().save(tmp_path / "generator.safetensors")
    write_challenge_case(plan_challenge("tiny", 3)[0], tmp_path / "download", 3)
    with locked(tmp_path / folder):
        before = contents(tmp_path)
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        after = contents(tmp_path)
    assert stop.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"intrastyler {arguments[0]}: ")
    assert f"{folder}: process {os.getpid()} on " in message
    # Caches beside the preprocessed cases are no one's output.
    changed = {path for path in after if after[path] != before.get(path)}
    assert {path for path in changed if "intensity_windows" not in path and "style_bank" not in path} == set()


def test_of_two_simulations_one_writes_all(tmp_path):
    environment = {"nnUNet_raw": str(tmp_path)}
    commands = [MarkedCommand("simulate", "--scale", "tiny", "-np", "1", environment=environment) for _ in range(2)]
    outputs = [command.process.communicate()[0] for command in commands]
    codes = [command.process.returncode for command in commands]
    assert sorted(codes) == [0, 2]
    refused = outputs[codes.index(2)]
    assert f"process {commands[codes.index(0)].process.pid} on " in refused
    assert refused.count("\n") == 1
    written = list((tmp_path / "Dataset990_SimCrossMoDA").glob("images*/*.nii.gz"))
    assert len(written) == len(plan_dataset("tiny", 0, paired=False, test_head="colin27"))
