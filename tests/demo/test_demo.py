"""The demo's bookkeeping; its stages are the commands other tests run."""

import time
from dataclasses import asdict

import pytest

from intrastyler_nnunet.demo.summary import split_test_cases, table
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.simulation.plan import plan_dataset
from intrastyler_nnunet.simulation.raw_dataset import SimulatedDataset
from intrastyler_nnunet.workflow import Stage, minutes_of_stages, run_command, run_stages


def test_a_second_call_continues_with_the_stage_that_failed(tmp_path):
    calls = []

    def failing():
        calls.append("train")
        if calls.count("train") == 1:
            raise InputError("interrupted")

    stages = [Stage("simulate", lambda: calls.append("simulate")), Stage("train", failing)]
    with pytest.raises(InputError):
        run_stages(stages, tmp_path)
    run_stages(stages, tmp_path)
    run_stages(stages, tmp_path)
    assert calls == ["simulate", "train", "train"]


def test_the_time_of_every_stage_is_kept(tmp_path):
    run_stages([Stage("train", lambda: time.sleep(0.6)), Stage("predict", lambda: None)], tmp_path)
    run_stages([Stage("train", lambda: None)], tmp_path)  # done before: keeps its time
    minutes = minutes_of_stages(tmp_path)
    assert list(minutes) == ["train", "predict"]
    assert minutes["train"] >= 0.01


def test_interrupted_parts_of_a_stage_count_too(tmp_path):
    def interrupted():
        time.sleep(0.6)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stages([Stage("train", interrupted)], tmp_path)
    run_stages([Stage("train", lambda: time.sleep(0.6))], tmp_path)
    assert minutes_of_stages(tmp_path)["train"] >= 0.02


def test_a_failing_command_stops_the_demo():
    with pytest.raises(InputError, match="exit code 2"):
        run_command("intrastyler no-such-command")


def test_test_cases_are_split_by_whether_their_site_has_exemplars(tmp_path):
    cases = plan_dataset("small", 3, paired=False, test_head="colin27")
    write_json(asdict(SimulatedDataset("small", 3, False, "colin27", tuple(cases))), tmp_path / "sites.json")
    groups = split_test_cases(tmp_path / "sites.json")
    target_sites = {case.site for case in cases if case.split == "target"}
    sites = {case.case: case.site for case in cases}
    assert {sites[name] for name in groups["seen_sites"]} == target_sites
    assert {sites[name] for name in groups["unseen_site"]}.isdisjoint(target_sites)
    assert sorted(groups["seen_sites"] + groups["unseen_site"]) == sorted(c.case for c in cases if c.split == "test")


def test_the_table_shows_every_figure():
    structure = {"dice": 0.75, "assd": 1.25}
    scores = {"mean_dice": 0.5, "structures": dict.fromkeys(("extra_meatal", "intra_meatal", "cochlea"), structure)}
    text = table({"IntraStyler": {"seen_sites": scores, "unseen_site": scores}})
    assert text.count("0.500") == 2
    assert text.count("0.750 / 1.25 mm") == 6
