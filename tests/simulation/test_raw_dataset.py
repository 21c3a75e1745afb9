"""The written dataset: the same bytes every time, accepted by nnU-Net, described by sites.json."""

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from killed_writer import leave_half_written
from tiny_dataset import run_command

from intrastyler_nnunet.cli import build_parser, main
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.simulation.head import HEADS
from intrastyler_nnunet.simulation.patient import build_anatomy
from intrastyler_nnunet.simulation.plan import SCALES, TRAINING_HEADS, plan_dataset
from intrastyler_nnunet.simulation.raw_dataset import read_sites, simulate_dataset
from intrastyler_nnunet.simulation.scanner import render


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """A tiny paired dataset of seed 5. Do not change it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("nnUNet_raw", str(tmp_path_factory.mktemp("raw")))
        return simulate_dataset(990, "tiny", 5, paired=True, processes=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_in_any_number_of_processes(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    again = contents(simulate_dataset(990, "tiny", 5, paired=True, processes=2))
    first = contents(dataset)
    assert again.keys() == first.keys()
    assert [name for name in first if first[name] != again[name]] == []


def test_an_interrupted_run_continues(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    folder = tmp_path / dataset.name
    for name, content in contents(dataset).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    lost, kept = folder / "imagesTr/sim_002_0000.nii.gz", folder / "imagesTr/sim_001_0000.nii.gz"
    lost.unlink()
    (folder / "dataset.json").unlink()
    leave_half_written(folder / "imagesTr/sim_003_0000.nii.gz")
    os.utime(kept, (1, 1))
    simulate_dataset(990, "tiny", 5, processes=1)
    assert kept.stat().st_mtime == 1
    assert contents(folder) == contents(dataset)


def test_nnunet_accepts_the_dataset(dataset, tmp_path):
    folders = {"nnUNet_raw": str(dataset.parent), "nnUNet_preprocessed": str(tmp_path), "nnUNet_results": str(tmp_path)}
    run_command("nnUNetv2_extract_fingerprint", "-d", "990", "-np", "1", "--verify_dataset_integrity",
                environment=folders)  # fmt: skip
    assert json.loads((dataset / "dataset.json").read_text())["channel_names"] == {"0": "MRI"}


def test_files_hold_no_time_and_no_name(dataset):
    header = (dataset / "imagesTr/sim_000_0000.nii.gz").read_bytes()[:10]
    assert header[4:8] == b"\0\0\0\0"  # modification time
    assert not header[3] & 0b1000  # no file name follows


def test_images_and_labels_share_a_real_geometry(dataset):
    image = sitk.ReadImage(str(dataset / "imagesTs/test_001_0000.nii.gz"))
    label = sitk.ReadImage(str(dataset / "labelsTs/test_001.nii.gz"))
    assert image.GetSize() == label.GetSize() == SCALES["tiny"].grid.shape
    np.testing.assert_allclose(image.GetSpacing(), SCALES["tiny"].grid.spacing)
    np.testing.assert_allclose(image.GetOrigin(), label.GetOrigin())
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    # The middle of the grid, given in MNI, is there in LPS.
    (case,) = [case for case in read_sites(dataset / "sites.json").cases if case.case == "test_001"]
    x, y, z = case.centre
    middle = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    np.testing.assert_allclose(middle, (-x, -y, z), atol=1e-4)


def test_sites_json_is_enough_to_render_a_case_again(dataset):
    description = read_sites(dataset / "sites.json")
    cases = {case.case: case for case in description.cases}
    for name, folder in (("target_003", "imagesTarget"), ("sim_001_target_b", "imagesTrPaired")):
        case = cases[name]
        expected = render(
            case.sample_subject(description.seed), case.scan, replace(SCALES["tiny"].grid, centre=case.centre)
        )
        image = sitk.GetArrayFromImage(sitk.ReadImage(str(dataset / folder / f"{name}_0000.nii.gz")))
        np.testing.assert_array_equal(image.transpose(2, 1, 0), np.rint(expected))


@pytest.mark.parametrize("scale", SCALES)
def test_plan_keeps_subjects_and_the_unseen_sites_apart(scale):
    cases = plan_dataset(scale, 0, paired=False, test_head="colin27")
    assert len({case.subject for case in cases}) == len({case.case for case in cases}) == len(cases)
    assert {case.site for case in cases if case.split == "source"} == {"source_a", "source_b"}
    assert {case.site for case in cases if case.split == "target"} == {"target_a", "target_b", "target_m"}
    tests = [case.site for case in cases if case.split == "test"]
    unseen = {"target_interpolation", "target_extrapolation"}
    assert {site: tests.count(site) * 5 for site in tests} == dict.fromkeys(
        {"target_a", "target_b", "target_m"} | unseen, len(tests)
    )
    assert {case.site for case in cases if not case.seen} == unseen


def test_few_fields_of_view_leave_the_head_and_all_hold_the_tumour():
    cases = plan_dataset("pretraining", 0, paired=False, test_head="colin27")
    beside = [case for case in cases if case.centre[0]]
    assert 0.06 < len(beside) / len(cases) < 0.18
    air = []
    for case in beside[:3]:
        subject = case.sample_subject(0)
        assert np.sign(case.centre[0]) == subject.tumour.side
        image = render(subject, case.scan, replace(SCALES["tiny"].grid, centre=case.centre))
        labels = build_anatomy(subject, replace(SCALES["tiny"].grid, centre=case.centre)).labels
        assert np.isin(labels, (1, 2)).any()
        outermost = image[:4] if case.centre[0] > 0 else image[-4:]
        air.append(np.mean(outermost < 0.3 * image.mean()))
    assert np.mean(air) > 0.25


def test_training_subjects_have_more_than_one_head_and_tests_the_one_asked_for():
    cases = plan_dataset("small", 0, paired=False, test_head="mni2009c")
    for split in ("source", "target"):
        heads = [case.head for case in cases if case.split == split]
        assert set(heads) == set(TRAINING_HEADS)
        assert 0.25 < heads.count(TRAINING_HEADS[0]) / len(heads) < 0.75
    assert {case.head for case in cases if case.split == "test"} == {"mni2009c"}


@pytest.mark.parametrize(
    "changed", [{"seed": 6}, {"scale": "small"}, {"test_head": "mni2009c"}], ids=["seed", "scale", "head"]
)
def test_another_dataset_is_not_overwritten(dataset, monkeypatch, changed):
    monkeypatch.setenv("nnUNet_raw", str(dataset.parent))
    before = contents(dataset)
    with pytest.raises(InputError, match=f"{next(iter(changed))} .* expected"):
        simulate_dataset(990, **{"scale": "tiny", "seed": 5, **changed})
    assert contents(dataset) == before


def test_a_taken_id_and_a_foreign_folder_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    (tmp_path / "Dataset991_Other").mkdir()
    with pytest.raises(InputError, match="Dataset991_Other"):
        simulate_dataset(991, "tiny")
    (tmp_path / "Dataset992_SimCrossMoDA").mkdir()
    (tmp_path / "Dataset992_SimCrossMoDA" / "dataset.json").touch()
    with pytest.raises(InputError, match=r"sites.json"):
        simulate_dataset(992, "tiny")


def test_without_nnunet_raw_the_command_ends_with_code_2(monkeypatch, capsys):
    monkeypatch.delenv("nnUNet_raw", raising=False)
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "--scale", "tiny"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_offers_every_scale_and_head():
    for scale in SCALES:
        assert build_parser().parse_args(["simulate", "--scale", scale]).scale == scale
    for head in HEADS:
        assert build_parser().parse_args(["simulate", "--test-head", head]).test_head == head


def test_int16_holds_every_intensity(dataset):
    for path in dataset.glob("images*/*.nii.gz"):
        raw = gzip.decompress(path.read_bytes())
        values = np.frombuffer(raw[352:], dtype="<i2")
        assert values.min() >= 0
        assert values.max() < np.iinfo(np.int16).max
