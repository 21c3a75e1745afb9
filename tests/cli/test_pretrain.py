"""`intrastyler pretrain` on a tiny preprocessed dataset."""

import json

import pytest
import torch

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.styles.bank import StyleBank

COMMAND = (
    "pretrain", "-d", "998", "-c", "tiny", "-device", "cpu", "--preset", "mini", "--style-warmup", "1", "-np", "0",
)  # fmt: skip


LEVELS = {"tumour_level": 0.1, "cochlea_level": -0.5}


@pytest.mark.parametrize(("hint", "expected"), [
    (None, None),
    ({"cochlea_inverted": True, "tumour_mean": -0.5, "soft": False}, LabelHint((2,), (1,), mean=-0.5)),
    ({"tumour_level": 0.1}, LabelHint((), (), soft=True, levels=(((1,), 0.1),))),
    (LEVELS, LabelHint((), (), soft=True, levels=(((1,), 0.1), ((2,), -0.5)))),
])  # fmt: skip
def test_writes_generator_and_bank_where_the_trainer_looks_for_them(own_dataset, tmp_path, hint, expected):
    (tmp_path / "mine.json").write_text(json.dumps({"purpose": "a test", "label_hint": hint}))
    main([*COMMAND, "--iterations", "2", "--recipe", str(tmp_path / "mine.json")])
    folder = own_dataset.root / "nnUNet_results" / "Dataset998_Tiny" / "IntraStyler__nnUNetPlans__tiny"
    generator = Generator.load(folder / "generator.safetensors")
    plans = json.loads((own_dataset.preprocessed / "nnUNetPlans.json").read_text())
    fullres = plans["configurations"]["3d_fullres"]
    assert list(generator.metadata.spacing) == fullres["spacing"]
    assert list(generator.metadata.normalization) == fullres["normalization_schemes"]
    assert generator.metadata.label_hint == expected
    bank = StyleBank.load(folder / "style_bank.safetensors")
    assert len(bank.names) == len(list((own_dataset.raw / "imagesTarget").iterdir()))
    torch.testing.assert_close(bank.vectors.norm(dim=1), torch.ones(len(bank.names)))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--iterations", "1"), "expected more than the 1"),
        (("--iterations", "2", "--patch-size", "999", "8", "8"), "larger than the smallest case"),
        (("--iterations", "2", "--patch-size", "4", "8", "8"), "expected at least (5, 5, 5) for preset mini"),
        (("--iterations", "2", "--method", "none"), "expected one of intrastyler, unified, nodiverse"),
        (("--iterations", "2", "--preset", "huge"), "expected one of reference, compact, light, released, mini"),
        (("--iterations", "2", "-c", "3d_other"), "no configuration '3d_other'"),
        (("--iterations", "2", "--batch-size", "0"), "--batch-size: found 0, expected a whole number, at least 1"),
        (("--iterations", "2", "--precision", "int8"), "expected one of float32, bfloat16, float16"),
        (("--iterations", "2", "--weight", "nce"), "expected TERM=WEIGHT or TERM=PROGRESS:WEIGHT"),
        (("--iterations", "2", "--weight", "dice=1"), "weight of 'dice', expected one of style, nce"),
        (("--iterations", "2", "--weight", "style=0"), "without style contrast in the beginning"),
        (("--iterations", "2", "--recipe", "best"), "recipe best: no such file, expected one, or a name: default, min"),
        (("--iterations", "2", "-np", "-1"), "-np: found -1, expected a whole number, 0 or more"),
        (("--iterations", "2", "-num_gpus", "0"), "-num_gpus: found 0, expected a whole number, 1 or more"),
        (("--iterations", "2", "-device", "mps"), "-device mps: this machine has none, expected"),
        (
            ("--iterations", "2", "--method", "nodiverse", "--style-warmup", "0", "--subdomain-pattern", r"(\d)$"),
            "expected a pattern with --subdomain",
        ),
        (("--iterations", "2", "--subdomain", "ldn"), "method intrastyler has no sub-domains"),
        (("--iterations", "2", "--method", "unified"), "no style encoder to warm up"),
        (("--iterations", "2", "--method", "unified", "--subdomain-pattern", "(x"), "expected an expression with one"),
        (("--iterations", "2", "--method", "unified", "--subdomain-pattern", "no(thing)"), "finds nothing in its name"),
        (
            ("--iterations", "2", "--method", "nodiverse", "--subdomain", "ldn", "--subdomain-pattern", r"(\d)$"),
            "sub-domain 'ldn' has no target case",
        ),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(own_dataset, capsys, arguments, expected):
    if "unified" in arguments and "--subdomain-pattern" not in arguments:
        (own_dataset.raw / "sites.json").write_text(json.dumps({"cases": [
            {"case": path.name.removesuffix("_0000.nii.gz"), "site": "a"}
            for path in (own_dataset.raw / "imagesTarget").iterdir()
        ]}))  # fmt: skip
    before = set((own_dataset.root / "nnUNet_results").rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        main([*COMMAND, *arguments])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1
    assert set((own_dataset.root / "nnUNet_results").rglob("*")) == before


@pytest.mark.parametrize("labels", [
    {"background": 0, "organ": 1, "lesion": 2},
    {"background": 0, "tumour": [1, 2], "cochlea": 2},
])  # fmt: skip
def test_labels_of_other_anatomies_do_not_steer_the_input(own_dataset, capsys, labels):
    path = own_dataset.preprocessed / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"labels": labels, "regions_class_order": [1, 2]}))
    main([*COMMAND, "--iterations", "2"])
    assert "no label is called cochlea: labels will not change the generator's input" in capsys.readouterr().out
    folder = own_dataset.root / "nnUNet_results" / "Dataset998_Tiny" / "IntraStyler__nnUNetPlans__tiny"
    assert Generator.load(folder / "generator.safetensors").metadata.label_hint is None


@pytest.mark.parametrize(("arguments", "length"), [
    (("--method", "unified", "--subdomain-pattern", r"(\d)$"), None),
    (("--method", "nodiverse"), 1),
])  # fmt: skip
def test_competitors_make_a_generator_and_a_bank_the_trainer_can_use(own_dataset, arguments, length):
    names = sorted(path.name.removesuffix("_0000.nii.gz") for path in (own_dataset.raw / "imagesTarget").iterdir())
    main([*COMMAND, "--iterations", "2", "--style-warmup", "0", *arguments])
    folder = own_dataset.root / "nnUNet_results" / "Dataset998_Tiny" / "IntraStyler__nnUNetPlans__tiny"
    bank = StyleBank.load(folder / "style_bank.safetensors")
    assert sorted(bank.names) == names
    digits = sorted({name[-1] for name in names})
    expected = torch.eye(len(digits))[[digits.index(name[-1]) for name in bank.names]] if length is None else 1.0
    torch.testing.assert_close(bank.vectors, torch.ones(len(names), length or len(digits)) * expected)
    assert Generator.load(folder / "generator.safetensors").config.style_dim == (length or len(digits))


@pytest.mark.slow
def test_two_processes_train_what_one_that_accumulates_trains(own_dataset, tmp_path):
    command = [*COMMAND, "--iterations", "3"]
    main([*command, "-num_gpus", "2", "-o", str(tmp_path / "two")])
    main([*command, "--accumulate", "2", "-o", str(tmp_path / "one")])
    one, two = (Generator.load(tmp_path / name / "generator.safetensors").state_dict() for name in ("one", "two"))
    assert max((one[name] - two[name]).abs().max() for name in one) < 1e-5
    assert (tmp_path / "two" / "style_bank.safetensors").is_file()
