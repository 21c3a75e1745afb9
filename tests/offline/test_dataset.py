"""`intrastyler synthesize` on the tiny dataset: the online route's pixels, as a dataset nnU-Net accepts."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from tiny_dataset import CONFIGURATION, run_command, tiny_generator

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.offline.dataset import Provenance, splits
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.slerp import slerp
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.translation.windows import read_windows


@pytest.fixture
def synthesize(own_dataset, tmp_path):
    """Runs the command; returns the folder of the new dataset."""
    generator = tmp_path / "generator.safetensors"
    tiny_generator().save(generator)

    def run(*options):
        main(["synthesize", "-d", "998", "-c", CONFIGURATION, "-o", "997", "-g", str(generator), "-device", "cpu",
              "--styles-per-case", "2", *map(str, options)])  # fmt: skip
        return own_dataset.raw.parent / "Dataset997_TinyTranslated"

    return run


def array_of(path) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


def test_pixels_are_the_online_routes_for_the_recorded_styles(synthesize, tmp_path):
    output = synthesize("--p-slerp", 0.5)
    record = json.loads((output / "synthesis.json").read_text())
    plans = folders.read_plans(998)
    bank = StyleBank.load(folders.synthesizer_folder(998, "nnUNetPlans", CONFIGURATION) / "style_bank.safetensors")
    source_folder = folders.configuration_folder(998, plans, CONFIGURATION)
    windows = read_windows(source_folder)
    cases = nnUNetDatasetBlosc2(str(source_folder), sorted(windows))
    translator = Translator(tiny_generator())
    assert len(record["cases"]) == 10
    assert {bool(made["t"]) for made in record["cases"].values()} == {True, False}
    for name, made in record["cases"].items():
        image, labels, _, _ = cases.load_case(made["case"])
        first, last = (bank.names.index(exemplar) for exemplar in (made["exemplars"] * 2)[:2])
        online = translator(
            torch.from_numpy(image[:])[None],
            torch.tensor([windows[made["case"]]]),
            slerp(bank.vectors[first][None], bank.vectors[last][None], made["t"]),
            torch.lerp(bank.windows[first], bank.windows[last], made["t"])[None],
        )[0, 0].numpy()
        inside = labels[0] >= 0
        written = array_of(output / "imagesTr" / f"{name}_0000.nii.gz")
        assert np.abs(written - online)[inside].max() < 1e-4
        assert (written[~inside & (image[0] == 0)] == 0).all()
        assert np.array_equal(array_of(output / "labelsTr" / f"{name}.nii.gz"), np.maximum(labels[0], 0))


def test_nnunet_takes_the_dataset_and_keeps_a_cases_styles_together(synthesize, own_dataset):
    output = synthesize()
    run_command("nnUNetv2_plan_and_preprocess", "-d", "997", "-c", "3d_fullres", "-npfp", "1", "-np", "1",
                "--verify_dataset_integrity", environment=own_dataset.environment)  # fmt: skip
    preprocessed = own_dataset.preprocessed.parent / output.name
    parts = json.loads((preprocessed / "splits_final.json").read_text())
    record = json.loads((output / "synthesis.json").read_text())["cases"]
    assert len(parts) == 5
    assert sorted(name for part in parts for name in part["val"]) == sorted(record)
    for part in parts:
        sides = [{record[name]["case"] for name in part[side]} for side in ("train", "val")]
        assert not sides[0] & sides[1]
        assert len(part["train"]) + len(part["val"]) == len(record)


def test_an_interrupted_synthesis_goes_on_to_the_same_bytes(synthesize):
    output = synthesize()
    images = sorted((output / "imagesTr").iterdir())
    whole = {path: path.read_bytes() for path in images}
    written = {path: path.stat().st_mtime_ns for path in images}
    images[3].unlink()
    synthesize()
    assert {path: path.read_bytes() for path in images} == whole
    untouched = [path for path in images if path.name[:8] != images[3].name[:8]]
    assert all(path.stat().st_mtime_ns == written[path] for path in untouched)


def test_parts_make_together_the_same_bytes(synthesize):
    output = synthesize()
    whole = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    shutil.rmtree(output)
    for number in (2, 0, 1):
        assert not (output / "dataset.json").exists()
        synthesize("-num_parts", 3, "-part_id", number)
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == whole


def test_only_what_is_true_of_translations_is_said_of_them(synthesize, own_dataset):
    path = own_dataset.preprocessed / "dataset.json"
    source = json.loads(path.read_text())
    elsewhere = {"source_0": {"images": ["/source_0_0000.nii.gz"], "label": "/source_0.nii.gz"}}
    foreign = {"dataset": elsewhere, "overwrite_image_reader_writer": "Tiff3DIO", "name": "theirs"}
    path.write_text(json.dumps(source | foreign))
    output = synthesize()
    written = json.loads((output / "dataset.json").read_text())
    kept = {name: source[name] for name in ("channel_names", "labels")}
    assert written == kept | {"numTraining": 10, "file_ending": ".nii.gz"}


def test_a_refused_synthesis_leaves_nothing_behind(synthesize, tmp_path, capsys):
    """The generator was trained on images of another spacing."""
    unfit = tmp_path / "unfit.safetensors"
    tiny_generator(spacing=(9.0, 9.0, 9.0)).save(unfit)
    with pytest.raises(SystemExit) as stop:
        synthesize("-g", unfit)
    assert stop.value.code == 2
    assert "spacing" in capsys.readouterr().err
    output = synthesize()  # the corrected command
    assert json.loads((output / "synthesis.json").read_text())["cases"]


def test_translations_of_a_source_that_has_gone_go_too(synthesize, own_dataset):
    output = synthesize()
    folder = own_dataset.preprocessed / "nnUNetPlans_3d_fullres"
    for path in folder.glob("source_1*"):
        path.unlink()
    synthesize()
    expected = sorted(f"source_{case}_style{style}" for case in (0, 2, 3, 4) for style in (0, 1))
    assert sorted(json.loads((output / "synthesis.json").read_text())["cases"]) == expected
    assert sorted(path.name for path in (output / "labelsTr").iterdir()) == [f"{name}.nii.gz" for name in expected]
    assert sorted(path.name for path in (output / "imagesTr").iterdir()) == [f"{n}_0000.nii.gz" for n in expected]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--seed", 1), "synthesized with seed 0, expected 1"),
        (("--policy", "balanced"), "synthesized with policy uniform, expected balanced"),
        (("--p-slerp", 2), "--p-slerp: found 2, expected a number from 0 to 1"),
        (("--styles-per-case", 0), "--styles-per-case: found 0, expected"),
        (("-g", "nowhere"), "nowhere: no such generator"),
    ],
)
def test_another_synthesis_is_not_mixed_in(synthesize, capsys, options, expected):
    output = synthesize()
    before = (output / "synthesis.json").read_bytes()
    with pytest.raises(SystemExit) as stop:
        synthesize(*options)
    assert stop.value.code == 2
    assert expected in capsys.readouterr().err
    assert (output / "synthesis.json").read_bytes() == before


def test_a_foreign_folder_is_left_alone(synthesize, own_dataset, capsys):
    foreign = own_dataset.raw.parent / "Dataset997_TinyTranslated"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("precious")
    with pytest.raises(SystemExit):
        synthesize()
    assert "expected a new dataset" in capsys.readouterr().err
    assert [path.name for path in foreign.iterdir()] == ["mine.txt"]


def test_fewer_cases_than_folds():
    cases = {f"{case}_{style}": Provenance(case, ("x",), 0.0) for case in "ab" for style in range(3)}
    parts = splits(cases)
    assert [sorted(part["val"]) for part in parts] in (
        [["a_0", "a_1", "a_2"], ["b_0", "b_1", "b_2"]], [["b_0", "b_1", "b_2"], ["a_0", "a_1", "a_2"]],
    )  # fmt: skip


def test_label_values_above_255_stay_what_they_are(synthesize, own_dataset):
    """As nnU-Net has preprocessed them, in 16 bits."""
    folder = own_dataset.preprocessed / "nnUNetPlans_3d_fullres"
    for path in folder.glob("*_seg.b2nd"):
        dataset = nnUNetDatasetBlosc2(str(folder), [path.name.removesuffix("_seg.b2nd")])
        image, labels, _, properties = dataset.load_case(dataset.identifiers[0])
        labels = np.where(labels[:] == 1, 300, labels[:]).astype(np.int16)
        image = image[:]
        for file in folder.glob(f"{dataset.identifiers[0]}*"):
            file.unlink()
        nnUNetDatasetBlosc2.save_case(image, labels, properties, str(folder / dataset.identifiers[0]))
    output = synthesize()
    for path in (output / "labelsTr").iterdir():
        assert set(np.unique(array_of(path))) == {0, 2, 300}


def test_other_exemplars_are_not_mixed_in(synthesize, own_dataset, capsys):
    output = synthesize()
    before = (output / "synthesis.json").read_bytes()
    (own_dataset.raw / "imagesTarget" / "target_1_0000.nii.gz").unlink()
    main(["add-target", "-d", "998", "-np", "1"])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        synthesize()
    assert stop.value.code == 2
    assert "synthesis.json: synthesized with other exemplars, expected the same" in capsys.readouterr().err
    assert (output / "synthesis.json").read_bytes() == before
