"""The demo's bookkeeping; its stages are the commands other tests run."""

import time
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from intrastyler_nnunet.demo.picture import picture_rows
from intrastyler_nnunet.demo.places import DemoPlaces
from intrastyler_nnunet.demo.run_demo import run_demo
from intrastyler_nnunet.demo.segmenter import load_segmenter, save_segmenter
from intrastyler_nnunet.demo.stages import LAPTOP
from intrastyler_nnunet.demo.summary import split_test_cases, table
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.simulation.plan import plan_dataset
from intrastyler_nnunet.simulation.raw_dataset import SimulatedDataset
from intrastyler_nnunet.simulation.sites import SITES, sites_of
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


def test_the_time_left_follows_the_pace_so_far(tmp_path, capsys):
    stages = [Stage("first", lambda: None, 1.0), Stage("second", lambda: None, 3.0), Stage("last", lambda: None, 6.0)]
    run_stages(stages, tmp_path)
    assert "0% |" in capsys.readouterr().out
    for name in ("second", "last"):
        (tmp_path / "finished" / name).unlink()
    write_json({"seconds": 120.0}, tmp_path / "wall_time" / "first.json")  # twice as long as expected
    (tmp_path / "wall_time" / "second.json").unlink()
    run_stages(stages, tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if "left" in line]
    assert "10% |" in lines[0]
    assert "18:00 left" in lines[0]


def test_a_demo_is_not_continued_with_another_seed(tmp_path):
    description = SimulatedDataset("small", 3, False, "colin27", ())
    write_json(asdict(description), DemoPlaces(tmp_path).raw / "sites.json")
    with pytest.raises(InputError, match="begun with --seed 3, now it is 7"):
        run_demo(tmp_path, "cpu", 7)


def test_the_first_picture_has_a_row_for_each_seen_sub_dataset(tmp_path):
    """With as few images as it is made of, and the same files as with all of them."""
    places, few, all_cases = DemoPlaces(tmp_path), [], plan_dataset("small", 3, paired=False, test_head="colin27")
    for split in ("source", "target", "test"):
        few += [case for case in all_cases if case.split == split][: LAPTOP.first]
    rows = []
    for cases in (few, all_cases):
        write_json(asdict(SimulatedDataset("small", 3, False, "colin27", tuple(cases))), places.raw / "sites.json")
        rows.append(picture_rows(places))
    assert rows[0] == rows[1]
    assert {row.site for row in rows[0] if row.exemplar} == set(sites_of("target", seen_only=True))
    assert {row.site for row in rows[0] if not row.exemplar} == {site for site in SITES if not SITES[site].seen}


def test_a_segmenter_survives_its_file(tmp_path):
    """The weights of nnU-Net's checkpoint, rounded to half precision, in the network that its plans build."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    model = tmp_path / "model"
    network_of_plans(model)
    save_segmenter(model, "3d_demo", tmp_path / "segmenter.safetensors")
    loaded = load_segmenter(tmp_path / "segmenter.safetensors", torch.device("cpu"))
    direct = nnUNetPredictor(device=torch.device("cpu"))
    direct.initialize_from_trained_model_folder(str(model), (0,))
    image = torch.rand(1, 8, 16, 16)
    expected = direct.network.half().float().eval()(image[None])
    torch.testing.assert_close(loaded.network.eval()(image[None]), expected)
    assert loaded.list_of_parameters[0].keys() == direct.list_of_parameters[0].keys()


def network_of_plans(model: Path) -> None:
    """nnU-Net's folder of a network with random weights."""
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": 2, "features_per_stage": [4, 8], "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * 2, "strides": [[1, 1, 1], [2, 2, 2]], "n_conv_per_stage": [1, 1],
            "n_conv_per_stage_decoder": [1], "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d", "norm_op_kwargs": {"affine": True},
            "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "nonlin"],
    }  # fmt: skip
    dataset = {"labels": {"background": 0, "tumour": 1}, "channel_names": {"0": "MRI"}, "file_ending": ".nii.gz"}
    plans = {"plans_name": "nnUNetPlans", "configurations": {"3d_demo": {"architecture": architecture}}}
    write_json(plans, model / "plans.json")
    write_json(dataset, model / "dataset.json")
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    torch.manual_seed(0)
    network = get_network_from_plans(*architecture.values(), 1, 2, deep_supervision=False)
    (model / "fold_0").mkdir()
    checkpoint = {"trainer_name": "nnUNetTrainer", "init_args": {"configuration": "3d_demo"},
                  "network_weights": network.state_dict()}  # fmt: skip
    torch.save(checkpoint, model / "fold_0" / "checkpoint_final.pth")


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
