"""From a download to a dataset and back, with everything that can be wrong with a download."""

import json

import numpy as np
import pytest
import SimpleITK
from opened_files import counting_opens

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.crossmoda.download import find_cases

SIZE, SPACING = (40, 24, 12), (2.0, 2.0, 3.0)
SMALL_REGION = ("--spacing", "2", "2", "3", "--size", "48", "20", "8")


def write(array: np.ndarray, path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))  # RAS, as many NIfTI files are
    SimpleITK.WriteImage(image, str(path))


def labels() -> np.ndarray:
    array = np.zeros(SIZE[::-1], np.uint8)
    array[5:8, 10:13, 4:7] = array[5:8, 10:13, 33:36] = 3
    array[5:8, 10:13, 9:12], array[4:9, 9:14, 12:17] = 2, 1
    return array


@pytest.fixture
def download(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    rng = np.random.default_rng(0)
    source, target = tmp_path / "download" / "crossmoda23_training" / "TrainingSource", tmp_path / "download" / "T"
    for number, site in enumerate(("etz", "ldn")):
        write(rng.normal(size=SIZE[::-1]).astype(np.float32), source / f"crossmoda2023_{site}_{number}_ceT1.nii.gz")
        write(labels(), source / f"crossmoda2023_{site}_{number}_Label.nii.gz")
    write(rng.normal(size=SIZE[::-1]).astype(np.float32), target / "crossmoda2023_ukm_7_T2.nii.gz")
    validation = tmp_path / "download" / "crossmoda23_validation"
    write(rng.normal(size=SIZE[::-1]).astype(np.float32), validation / "crossmoda2023_ukm_9_T2.nii.gz")
    write(labels(), tmp_path / "cochleae" / "crossmoda2023_ukm_9.nii.gz")
    return tmp_path


def prepare(folder) -> None:
    main(["crossmoda", "prepare", "-i", str(folder / "download"), "-d", "994", "-np", "1",
          "--cochleae", str(folder / "cochleae"), *SMALL_REGION])  # fmt: skip


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_links_to_folders_of_the_download_are_followed(download, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    expected = [case.case for case in find_cases(download / "download")[1]]
    for folder in (download / "download").iterdir():
        folder.rename(elsewhere / folder.name)
        folder.symlink_to(elsewhere / folder.name)
    (elsewhere / "T" / "back").symlink_to(download / "download")
    assert [case.case for case in find_cases(download / "download")[1]] == expected


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.symlink_to("gone")])
def test_what_has_an_images_name_and_is_none_is_refused(download, capsys, make):
    make(download / "download" / "T" / "crossmoda2023_ukm_8_T2.nii.gz")
    with pytest.raises(SystemExit) as stop:
        prepare(download)
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert "crossmoda2023_ukm_8_T2.nii.gz: found a " in message
    assert message.count("\n") == 1
    assert not (download / "raw").exists()


def test_a_case_whose_image_has_gone_is_removed(download, capsys):
    prepare(download)
    dataset = download / "raw" / "Dataset994_CrossMoDA2023"
    other = dataset / "geometry" / "crossmoda2023_etz_5.json"  # of another download, which is still there
    record = json.loads((dataset / "geometry" / "crossmoda2023_etz_0.json").read_text())
    record["settings"]["inputs"][0][0] = __file__
    other.write_text(json.dumps(record))
    for path in (download / "download").rglob("crossmoda2023_ldn_1_*"):
        path.unlink()
    prepare(download)
    assert names(dataset / "imagesTr") == ["crossmoda2023_etz_0_0000.nii.gz"]
    assert names(dataset / "labelsTr") == ["crossmoda2023_etz_0.nii.gz"]
    assert other.is_file()
    assert "crossmoda2023_ldn_1: removed from Dataset994_CrossMoDA2023" in capsys.readouterr().out


def test_a_grid_that_fits_no_memory_is_refused_with_the_cases_name(download, capsys):
    """Each number alone is allowed."""
    with pytest.raises(SystemExit) as stop:
        main(["crossmoda", "prepare", "-i", str(download / "download"), "-d", "994", "-np", "1",
              "--size", "2048", "2048", "2048"])  # fmt: skip
    assert stop.value.code == 2
    assert "crossmoda2023_etz_0_ceT1.nii.gz: becomes (2048, 2048, 2048) voxels" in capsys.readouterr().err


def test_a_download_becomes_a_dataset_and_label_maps_go_back(download, capsys):
    prepare(download)
    dataset = download / "raw" / "Dataset994_CrossMoDA2023"
    assert names(dataset / "imagesTr") == ["crossmoda2023_etz_0_0000.nii.gz", "crossmoda2023_ldn_1_0000.nii.gz"]
    assert names(dataset / "labelsTr") == ["crossmoda2023_etz_0.nii.gz", "crossmoda2023_ldn_1.nii.gz"]
    assert names(dataset / "imagesTarget") == ["crossmoda2023_ukm_7_0000.nii.gz"]
    assert names(dataset / "imagesTs") == ["crossmoda2023_ukm_9_0000.nii.gz"]
    description = json.loads((dataset / "dataset.json").read_text())
    assert description["labels"] == {"background": 0, "extra_meatal": 1, "intra_meatal": 2, "cochlea": 3}
    assert description["numTraining"] == 2
    sites = {record["case"]: record["site"] for record in json.loads((dataset / "sites.json").read_text())["cases"]}
    assert sites["crossmoda2023_ldn_1"] == "ldn"
    # The image without known cochleae is kept whole, and named.
    assert "1 without known cochleae keep their whole field of view: crossmoda2023_ukm_7" in capsys.readouterr().out
    assert SimpleITK.ReadImage(str(dataset / "imagesTarget" / "crossmoda2023_ukm_7_0000.nii.gz")).GetSize() == SIZE
    assert SimpleITK.ReadImage(str(dataset / "imagesTs" / "crossmoda2023_ukm_9_0000.nii.gz")).GetSize() == (48, 20, 8)
    assert (dataset / "quality_control.png").stat().st_size > 500

    restored = download / "restored"
    main(
        ["crossmoda", "restore", "-i", str(dataset / "labelsTr"), "-r", str(dataset / "geometry"), "-o", str(restored)]
    )
    image = SimpleITK.ReadImage(str(restored / "crossmoda2023_etz_0.nii.gz"))
    # Same spacing and whole-voxel offsets: nothing may be lost.
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), labels())
    assert image.GetDirection() == (-1, 0, 0, 0, -1, 0, 0, 0, 1)
    assert image.GetSpacing() == SPACING


@pytest.mark.parametrize(("kind", "expected"), [
    ("truncated", "truncated or damaged"), ("label", "found label values 7"), ("no cochlea", "found no cochlea"),
])  # fmt: skip
def test_a_faulty_case_is_named_and_a_second_call_finishes_the_rest(download, capsys, kind, expected):
    source = download / "download" / "crossmoda23_training" / "TrainingSource"
    image, label = source / "crossmoda2023_etz_0_ceT1.nii.gz", source / "crossmoda2023_etz_0_Label.nii.gz"
    if kind == "truncated":
        whole = image.read_bytes()
        image.write_bytes(whole[:-100])
    else:
        write(np.where(labels() == 3, 7 if kind == "label" else 0, labels()).astype(np.uint8), label)
    with pytest.raises(SystemExit) as stopped:
        prepare(download)
    message = capsys.readouterr().err
    assert stopped.value.code == 2
    assert expected in message
    assert "crossmoda2023_etz_0" in message
    dataset = download / "raw" / "Dataset994_CrossMoDA2023"
    assert names(dataset / "imagesTr") == ["crossmoda2023_ldn_1_0000.nii.gz"]
    finished = (dataset / "imagesTr" / "crossmoda2023_ldn_1_0000.nii.gz").stat().st_mtime_ns
    if kind == "truncated":
        image.write_bytes(whole)
    else:
        write(labels(), label)
    prepare(download)
    assert len(names(dataset / "imagesTr")) == 2
    assert (dataset / "imagesTr" / "crossmoda2023_ldn_1_0000.nii.gz").stat().st_mtime_ns == finished


def test_a_source_image_without_label_map_stops_before_anything_is_written(download, capsys):
    next((download / "download").rglob("*etz_0_Label*")).unlink()
    with pytest.raises(SystemExit):
        prepare(download)
    assert "expected crossmoda2023_etz_0_Label.nii.gz" in capsys.readouterr().err
    assert not (download / "raw").exists()


@pytest.mark.parametrize(("change", "expected"), [
    (lambda path: write(labels()[:-1], path), "found size"),
    (lambda path: path.rename(path.with_name("other.nii.gz")), "no record"),
])  # fmt: skip
def test_predictions_that_do_not_belong_are_refused(download, capsys, change, expected):
    prepare(download)
    dataset = download / "raw" / "Dataset994_CrossMoDA2023"
    change(dataset / "labelsTr" / "crossmoda2023_etz_0.nii.gz")
    with pytest.raises(SystemExit) as stopped:
        main(["crossmoda", "restore", "-i", str(dataset / "labelsTr"), "-r", str(dataset / "geometry"),
              "-o", str(download / "restored")])  # fmt: skip
    assert stopped.value.code == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(("names", "expected"), [
    (("crossmoda_1_ceT1", "crossmoda_1_Label", "crossmoda_106_hrT2"), 2021),
    (("crossmoda2021_ldn_1_ceT1", "crossmoda2021_ldn_1_Label", "crossmoda2022_etz_106_hrT2"), 2022),
    (("crossmoda2023_etz_1_ceT1", "crossmoda2023_etz_1_Label", "crossmoda2023_ldn_2_T2"), 2023),
])  # fmt: skip
def test_editions_are_told_by_names(tmp_path, names, expected):
    from intrastyler_nnunet.crossmoda.download import find_cases

    for name in names:
        (tmp_path / f"{name}.nii.gz").touch()
    edition, cases = find_cases(tmp_path)
    assert edition.year == expected
    assert [case.split for case in cases] == ["source", "target"]


def test_a_dataset_for_a_localiser_has_whole_images_and_the_cochlea_alone(download):
    main(["crossmoda", "prepare", "-i", str(download / "download"), "-d", "993", "-np", "1", "--localiser",
          *SMALL_REGION])  # fmt: skip
    dataset = download / "raw" / "Dataset993_CrossMoDA2023Localiser"
    assert json.loads((dataset / "dataset.json").read_text())["labels"] == {"background": 0, "cochlea": 1}
    made = SimpleITK.ReadImage(str(dataset / "labelsTr" / "crossmoda2023_etz_0.nii.gz"))
    assert made.GetSize() == SIZE
    original = download / "download" / "crossmoda23_training" / "TrainingSource" / "crossmoda2023_etz_0_Label.nii.gz"
    expected = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(original)), "LPS") == 3
    assert np.array_equal(SimpleITK.GetArrayFromImage(made), SimpleITK.GetArrayFromImage(expected))


def test_a_full_label_map_without_cochlea_does_not_pass_the_tumour_off_as_one(download, capsys):
    without = labels()
    without[without == 3] = 0
    write(without, download / "cochleae" / "crossmoda2023_ukm_9.nii.gz")
    prepare(download)
    assert "2 without known cochleae" in capsys.readouterr().out


def test_valid_in_a_folder_above_the_download_means_nothing(tmp_path):
    folder = tmp_path / "cross_validation" / "crossmoda23_training" / "TrainingTarget"
    folder.mkdir(parents=True)
    (folder / "crossmoda2023_etz_1_T2.nii.gz").touch()
    (case,) = find_cases(tmp_path / "cross_validation" / "crossmoda23_training")[1]
    assert case.split == "target"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("crossmoda2023_etz_1_Label",), "no image"),
        (("crossmoda2023_etz_1_ceT1", "crossmoda2023_etz_1_Label", "crossmoda2023_etz_1_T2"), "one image per case"),
    ],
)
def test_a_download_that_makes_no_sense_is_refused(tmp_path, names, expected):
    for name in names:
        (tmp_path / f"{name}.nii.gz").touch()
    with pytest.raises(ValueError, match=expected):
        find_cases(tmp_path)


def lose_origin(image: SimpleITK.Image) -> None:
    image.SetOrigin((0.0, 0.0, 0.0))
    image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, 1))


def shift(image: SimpleITK.Image) -> None:
    image.SetOrigin(image.TransformContinuousIndexToPhysicalPoint((0.0, 0.0, 1.0)))  # 3 mm


@pytest.mark.parametrize("change", [lose_origin, shift])
@pytest.mark.parametrize("which", ["label", "cochleae"])
def test_a_label_map_that_does_not_lie_on_its_image_is_refused(download, capsys, which, change):
    image, path = {
        "label": ("crossmoda2023_etz_0_ceT1.nii.gz", next((download / "download").rglob("*etz_0_Label.nii.gz"))),
        "cochleae": ("crossmoda2023_ukm_9_T2.nii.gz", download / "cochleae" / "crossmoda2023_ukm_9.nii.gz"),
    }[which]
    label_map = SimpleITK.ReadImage(str(path))
    change(label_map)
    SimpleITK.WriteImage(label_map, str(path))
    with pytest.raises(SystemExit) as stopped:
        prepare(download)
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "expected" in line)
    assert stopped.value.code == 2
    assert f"{path}: found " in line
    assert f"{image} (1 of 4 cases cannot be used" in line
    records = names(download / "raw" / "Dataset994_CrossMoDA2023" / "geometry")
    assert len(records) == 3
    assert f"{image.rsplit('_', 1)[0]}.json" not in records


def test_a_label_map_may_be_stored_in_another_orientation(download):
    """Its voxels lie where the image's do."""
    path = next((download / "download").rglob("*etz_0_Label.nii.gz"))
    prepare(download)
    made = download / "raw" / "Dataset994_CrossMoDA2023" / "labelsTr" / "crossmoda2023_etz_0.nii.gz"
    before = made.read_bytes()
    SimpleITK.WriteImage(SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "ASR"), str(path))
    prepare(download)
    assert made.read_bytes() == before


def test_images_and_label_maps_are_read_once(download, tmp_path):
    paths = [path for folder in ("download", "cochleae") for path in (download / folder).rglob("*.nii.gz")]
    with counting_opens(*paths) as opens:
        prepare(download)
    assert set(opens.values()) == {1}
    dataset = download / "raw" / "Dataset994_CrossMoDA2023"
    commands = (
        f"crossmoda postprocess -i {dataset / 'labelsTr'} -o {tmp_path / 'cleaned'} --keep-all-tumours",
        f"crossmoda restore -i {dataset / 'labelsTr'} -r {dataset / 'geometry'} -o {tmp_path / 'restored'}",
        f"evaluate -p {dataset / 'labelsTr'} -g {dataset / 'labelsTr'} -np 1 -o {tmp_path / 'scores.json'}",
    )
    for command, times in zip(commands, (1, 1, 2), strict=True):  # the last as prediction and as reference
        label_maps = list((dataset / "labelsTr").iterdir())
        with counting_opens(*label_maps) as opens:
            main(command.split())
        assert opens == dict.fromkeys(label_maps, times)
