"""Target images must come out exactly as nnU-Net itself preprocesses them."""

import json
import shutil
from pathlib import Path

import blosc2
import numpy as np
import pytest
import SimpleITK as sitk
from killed_writer import leave_half_written
from nnunetv2.training.dataloading.nnunet_dataset import infer_dataset_class, nnUNetDatasetBlosc2
from tiny_dataset import CONFIGURATION, write_image

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.target.add import add_target
from intrastyler_nnunet.pretraining.run import prepare_run
from intrastyler_nnunet.translation.windows import read_windows, windows_file
from intrastyler_nnunet.workers import Part


def read(path: Path) -> np.ndarray:
    return blosc2.open(str(path))[:]


def snapshot(root: Path) -> dict[str, int]:
    """Every file and folder below `root` with its modification time."""
    return {str(path): path.lstat().st_mtime_ns for path in root.rglob("*")}


def source_folder(dataset) -> Path:
    return dataset.preprocessed / "nnUNetPlans_3d_fullres"


def target_folder(dataset) -> Path:
    return dataset.preprocessed / "nnUNetPlans_3d_fullres_target"


def test_voxel_identical_to_nnunets_own_preprocessing(own_dataset):
    """A source image passed as target gives the voxels, and the chunks, that nnUNetv2_preprocess wrote."""
    images = own_dataset.root / "as_target"
    images.mkdir()
    for index in (1, 3):
        name = f"source_{index}_0000.nii.gz"
        shutil.copy(own_dataset.raw / "imagesTr" / name, images / name)
    add_target("998", "nnUNetPlans", 2, ["3d_fullres"], images)
    for index in (1, 3):
        file = f"source_{index}.b2nd"
        ours, nnunets = target_folder(own_dataset) / file, source_folder(own_dataset) / file
        assert np.array_equal(read(ours), read(nnunets))
        assert blosc2.open(str(ours)).chunks == blosc2.open(str(nnunets)).chunks


def test_simulated_truths_lie_on_the_grid_of_their_source(own_dataset, tmp_path):
    """A source image as its own truth: preprocessed as the source, and read for it alone."""
    (own_dataset.raw / "imagesTrPaired").mkdir()
    truth = own_dataset.raw / "imagesTrPaired" / "source_1_here_0000.nii.gz"
    shutil.copy(own_dataset.raw / "imagesTr" / "source_1_0000.nii.gz", truth)
    add_target("998", "nnUNetPlans", 2, ["3d_fullres"])
    folder = own_dataset.preprocessed / "nnUNetPlans_3d_fullres_truth"
    assert np.array_equal(read(folder / "source_1_here.b2nd"), read(source_folder(own_dataset) / "source_1.b2nd"))
    settings = {"preset": "mini", "iterations": 2, "style_warmup": 1}
    truths = prepare_run("998", "3d_fullres", "nnUNetPlans", tmp_path, **settings).truths
    assert truths.of("source_1") == ["source_1_here"]
    assert truths.of("source_3") == []
    data = read(folder / "source_1_here.b2nd")
    for file in folder.glob("source_1_here*"):
        file.unlink()
    nnUNetDatasetBlosc2.save_case(data[:, :-1], data[:, :-1].astype(np.int16), {}, str(folder / "source_3_here"))
    with pytest.raises(InputError, match=r"source_3_here: shape .* expected that of source_3"):
        prepare_run("998", "3d_fullres", "nnUNetPlans", tmp_path, **settings)


def test_default_is_every_preprocessed_configuration_once(tiny_dataset):
    assert folders.case_names(target_folder(tiny_dataset)) == ["target_0", "target_1", "target_2"]
    assert list(tiny_dataset.preprocessed.glob("*_target")) == [target_folder(tiny_dataset)]
    assert not list(target_folder(tiny_dataset).glob(".*"))


def test_nnunet_still_accepts_the_folders(tiny_dataset):
    """nnU-Net refuses folders with files of several kinds, so the windows must not be written into them."""
    for folder in (source_folder(tiny_dataset), target_folder(tiny_dataset)):
        dataset = infer_dataset_class(str(folder))(str(folder))
        assert len(dataset.load_case(dataset.identifiers[0])) == 4


def test_windows_are_cached_for_source_and_target(tiny_dataset):
    for folder in (source_folder(tiny_dataset), target_folder(tiny_dataset)):
        assert windows_file(folder).is_file()
        for case, (low, high) in read_windows(folder).items():
            voxels = read(folder / f"{case}.b2nd")
            assert low == pytest.approx(voxels.min())
            assert high == pytest.approx(np.quantile(voxels, 0.999))


def test_restart_makes_only_what_is_missing_or_out_of_date(own_dataset):
    folder = target_folder(own_dataset)
    before = {name: (folder / f"{name}.b2nd").stat().st_mtime_ns for name in folders.case_names(folder)}
    windows = read_windows(folder)
    # As a killed run leaves it (a case set aside, one without its image), and an image that has changed.
    half = leave_half_written(folder / "target_1.b2nd")
    (folder / "target_1.b2nd").unlink()
    image_path = own_dataset.raw / "imagesTarget" / "target_2_0000.nii.gz"
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(image_path)))
    write_image(image_path, image * (1 + 0.5 * (image > 600)))
    add_target(998, "nnUNetPlans", 2)
    after = {name: (folder / f"{name}.b2nd").stat().st_mtime_ns for name in folders.case_names(folder)}
    assert {name for name in after if after[name] != before[name]} == {"target_1", "target_2"}
    assert not half.parent.exists()
    assert read_windows(folder)["target_1"] == windows["target_1"]
    assert read_windows(folder)["target_2"][1] > windows["target_2"][1]


def test_a_case_cut_short_does_not_look_complete(own_dataset):
    """Something in the way of the second file stops the case half-way."""
    folder = target_folder(own_dataset)
    for path in folder.glob("target_0*"):
        path.unlink()
    (folder / "target_0_seg.b2nd").mkdir()
    with pytest.raises(OSError, match=r"target_0_seg.b2nd"):
        add_target(998, "nnUNetPlans", 1)
    assert "target_0" not in folders.case_names(folder)
    (folder / "target_0_seg.b2nd").rmdir()
    add_target(998, "nnUNetPlans", 1)
    assert "target_0" in folders.case_names(folder)


def test_a_case_whose_image_has_gone_is_no_exemplar_any_more(own_dataset, tmp_path, capsys):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("source_1", "source_2"):
        shutil.copy(own_dataset.raw / "imagesTr" / f"{name}_0000.nii.gz", elsewhere)
    add_target(998, "nnUNetPlans", 1, image_folder=elsewhere)
    (own_dataset.raw / "imagesTarget" / "target_1_0000.nii.gz").unlink()
    add_target(998, "nnUNetPlans", 1)
    folder = target_folder(own_dataset)
    assert folders.case_names(folder) == ["source_1", "source_2", "target_0", "target_2"]
    assert not list(folder.glob("target_1*"))
    assert list(read_windows(folder)) == folders.case_names(folder)
    expected = f"{folder.name}: removed, for their images are no longer in imagesTarget: target_1"
    assert expected in capsys.readouterr().out.splitlines()

    (elsewhere / "source_1_0000.nii.gz").unlink()
    add_target(998, "nnUNetPlans", 1, image_folder=elsewhere)
    assert folders.case_names(folder) == ["source_2", "target_0", "target_2"]
    assert f"no longer in {elsewhere}: source_1" in capsys.readouterr().out


def test_a_truth_whose_image_has_gone_is_none_any_more(own_dataset):
    truths = own_dataset.raw / "imagesTrPaired"
    truths.mkdir()
    for index in (1, 2):
        image = own_dataset.raw / "imagesTr" / f"source_{index}_0000.nii.gz"
        shutil.copy(image, truths / f"source_{index}_here_0000.nii.gz")
    folder = own_dataset.preprocessed / "nnUNetPlans_3d_fullres_truth"
    add_target(998, "nnUNetPlans", 1)
    assert folders.case_names(folder) == ["source_1_here", "source_2_here"]
    (truths / "source_2_here_0000.nii.gz").unlink()
    add_target(998, "nnUNetPlans", 1)
    assert folders.case_names(folder) == ["source_1_here"]
    shutil.rmtree(truths)
    add_target(998, "nnUNetPlans", 1)
    assert folders.case_names(folder) == []


def test_a_case_whose_properties_are_damaged_is_made_anew(own_dataset):
    properties = target_folder(own_dataset) / "target_1.pkl"
    before = properties.read_bytes()
    properties.write_bytes(before[: len(before) // 2])
    add_target(998, "nnUNetPlans", 1)
    assert properties.read_bytes() == before


def test_hidden_files_are_no_cases(own_dataset):
    """macOS leaves such files on foreign disks; another ending would be no case either."""
    (own_dataset.raw / "imagesTarget" / "._target_0_0000.nii.gz").write_bytes(b"Mac OS X")
    add_target(998, "nnUNetPlans", 1)
    assert folders.case_names(target_folder(own_dataset)) == ["target_0", "target_1", "target_2"]


def no_folder(dataset):
    shutil.rmtree(dataset.raw / "imagesTarget")


def no_images(dataset):
    no_folder(dataset)
    (dataset.raw / "imagesTarget").mkdir()


def badly_named(dataset):
    folder = dataset.raw / "imagesTarget"
    (folder / "target_1_0000.nii.gz").rename(folder / "one.nii.gz")


def second_channel(dataset):
    folder = dataset.raw / "imagesTarget"
    shutil.copy(folder / "target_1_0000.nii.gz", folder / "target_1_0001.nii.gz")


def truncated(dataset):
    path = dataset.raw / "imagesTarget" / "target_1_0000.nii.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def named_like_an_image(dataset):
    (dataset.raw / "imagesTarget" / "target_9_0000.nii.gz").mkdir()


def link_to_a_folder(dataset):
    (dataset.raw / "imagesTarget" / "target_9_0000.nii.gz").symlink_to(dataset.raw)


def link_to_nothing(dataset):
    (dataset.raw / "imagesTarget" / "target_9_0000.nii.gz").symlink_to(dataset.raw / "gone.nii.gz")


FAULTS = {
    "folder": (named_like_an_image, "target_9_0000.nii.gz: found a folder, expected an image file"),
    "link to a folder": (link_to_a_folder, "target_9_0000.nii.gz: found a folder, expected an image file"),
    "link to nothing": (link_to_nothing, "target_9_0000.nii.gz: found a link to nothing, expected an image file"),
    "no imagesTarget": (no_folder, "imagesTarget: no such folder"),
    "empty imagesTarget": (no_images, "imagesTarget: no .nii.gz files"),
    "badly named": (badly_named, "one.nii.gz: not named"),
    "second channel": (second_channel, "target_1_0001.nii.gz: channel 1"),
    "truncated": (truncated, "target_1_0000.nii.gz: truncated"),
}


def refused(arguments: list[str], expected: str, capsys, root: Path) -> None:
    """The command prints `expected` in one line, exits with 2 and writes nothing below `root`."""
    before = snapshot(root)
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        main(["add-target", *arguments])
    assert exit_.value.code == 2
    assert snapshot(root) == before
    printed = capsys.readouterr().err.splitlines()
    lines = [line for line in printed if line.strip() and not line.startswith("checking:")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("intrastyler add-target: ")
    assert expected in lines[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_images_are_refused_before_anything_is_written(own_dataset, capsys, fault):
    make_fault, expected = FAULTS[fault]
    make_fault(own_dataset)
    shutil.rmtree(target_folder(own_dataset))
    refused(["-d", "998", "-np", "1"], expected, capsys, own_dataset.root)


@pytest.mark.parametrize("variable", ["nnUNet_preprocessed", "nnUNet_raw"])
def test_unset_variable_is_refused(own_dataset, capsys, monkeypatch, variable):
    monkeypatch.delenv(variable)
    refused(["-d", "998"], f"{variable} is not set", capsys, own_dataset.root)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-d", "998", "-np", "-1"], "-np: found -1, expected a whole number, 1 or more"),
        (["-d", "997"], "no dataset has the id 997"),
        (["-d", "Dataset997_Other"], "Dataset997_Other: no such folder"),
        (["-d", "Tiny"], "'Tiny' is neither"),
        (["-d", "998", "-c", "2d_big"], f"no configuration '2d_big'; it has 2d, 3d_fullres, {CONFIGURATION}"),
        (["-d", "998", "-c", "2d"], "2d: no preprocessed cases; run nnUNetv2_preprocess -d 998 -c 2d"),
        (["-d", "998", "-p", "otherPlans"], "otherPlans.json: no such plans file"),
    ],
)
def test_what_does_not_exist_is_refused(own_dataset, capsys, arguments, expected):
    refused(arguments, expected, capsys, own_dataset.root)


def test_parts_make_together_what_one_process_makes(own_dataset):
    folder = target_folder(own_dataset)
    whole = {path.name: path.read_bytes() for path in folder.glob("*.b2nd")}
    windows, file = read_windows(folder), windows_file(folder)
    shutil.rmtree(folder)
    file.unlink()
    for number, done in ((1, ["target_1"]), (0, ["target_0", "target_1", "target_2"])):
        with locked(Part(1 - number, 2).lock(own_dataset.preprocessed)):  # by the other one, at the same time
            add_target(998, "nnUNetPlans", 1, part=Part(number, 2))
        assert folders.case_names(folder) == done
    assert {path.name: path.read_bytes() for path in folder.glob("*.b2nd")} == whole
    assert list(json.loads(file.read_text())) == list(windows)
    assert read_windows(folder) == windows
    assert not list(own_dataset.preprocessed.parent.glob(".*"))
