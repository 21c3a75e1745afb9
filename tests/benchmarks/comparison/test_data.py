"""What the comparison is made on and of, before anything is rendered or trained."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.comparison import pretraining
from benchmarks.comparison.own_data import OwnData, find_own_data, link
from benchmarks.comparison.plan import METHODS, SCALES, SYNTHESIZERS, chosen_methods
from benchmarks.comparison.pretraining import pretrain, steps_of
from benchmarks.comparison.run import Run
from benchmarks.comparison.simulated import TEST_SEED, cases_by_test_set, oracle_cases, training_cases
from benchmarks.comparison.stages import trainer_settings
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.settings import TrainerSettings
from intrastyler_nnunet.typed_json import decode_json


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_exemplars_are_shared_out_among_the_seen_sub_datasets(scale):
    sites = Counter(case.site for case in training_cases(scale, 3) if case.split == "target")
    assert {site: count / scale.target for site, count in sites.items()} == {
        "target_a": 0.3, "target_b": 0.3, "target_m": 0.4,
    }  # fmt: skip


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_no_subject_is_tested_that_was_trained_on(scale):
    training = training_cases(scale, 3)
    tests = [case for cases in cases_by_test_set(scale).values() for case in cases]
    for cases in (training, tests):
        assert len({case.subject for case in cases}) == len({case.case for case in cases}) == len(cases)
    assert TEST_SEED not in range(1000)  # the seeds of trainings


def test_test_sets_differ_in_site_or_head():
    sets = cases_by_test_set(SCALES["small"])
    training = training_cases(SCALES["small"], 3)
    seen_sites, seen_heads = ({getattr(case, name) for case in training} for name in ("site", "head"))
    assert {name: {case.site for case in cases} <= seen_sites for name, cases in sets.items()} == {
        "seen scanners": True, "interpolation": False, "extrapolation": False, "unseen head": True,
    }  # fmt: skip
    assert {name: {case.head for case in cases} <= seen_heads for name, cases in sets.items()} == {
        "seen scanners": True, "interpolation": True, "extrapolation": True, "unseen head": False,
    }  # fmt: skip


def test_the_oracle_sees_the_source_subjects_at_every_seen_target_site():
    scale = SCALES["small"]
    training = training_cases(scale, 3)
    oracle = oracle_cases(scale, 3)
    source_subjects = {case.subject for case in training if case.split == "source"}
    target_sites = {case.site for case in training if case.split == "target"}
    assert {(case.subject, case.site) for case in oracle} == {(s, t) for s in source_subjects for t in target_sites}


@pytest.fixture
def three_sites(monkeypatch):
    """Ten target cases of three sub-datasets."""
    sites = {str(number): site for number, site in enumerate("aaabbbmmmm")}
    monkeypatch.setattr(pretraining, "subdomain_of_targets", lambda run: sites)


def test_methods_differ_in_images_and_styles_alone(tmp_path, three_sites):
    run = Run(tmp_path, 4, SCALES["small"], "cpu")
    settings = {key: trainer_settings(run, method) for key, method in METHODS.items()}
    may_differ = {"p_translate", "policy", "p_slerp", "generator"}
    common = [{name: v for name, v in entry.items() if name not in may_differ} for entry in settings.values()]
    assert all(entry == common[0] for entry in common)
    assert common[0]["seed"] == 4
    untranslated = {key for key, entry in settings.items() if entry["p_translate"] == 0}
    assert untranslated == {"noadapt", "da5", "gin", "offline", "oracle"}
    assert [settings[key].get("policy") for key in ("intrastyler", "balanced")] == ["uniform", "balanced"]
    assert settings["slerp"]["p_slerp"] == 1
    for entry in settings.values():
        decode_json(json.dumps(entry), TrainerSettings, "settings", "settings")
    generators = settings["multinets"]["generator"]
    assert generators == [str(run.generator(SYNTHESIZERS["multinets"], name)) for name in "abm"]


def test_all_generators_have_as_many_steps_and_draw_every_image_as_often(tmp_path, three_sites):
    run = Run(tmp_path, 4, SCALES["small"], "cpu")
    steps = {key: steps_of(run, synthesizer) for key, synthesizer in SYNTHESIZERS.items()}
    assert {sum(networks.values()) for networks in steps.values()} == {SCALES["small"].pretraining.steps}
    assert steps["multinets"] == steps["multinets-plain"] == {"a": 90, "b": 90, "m": 120}
    run = Run(tmp_path, 4, SCALES["tiny"], "cpu")
    assert sum(steps_of(run, SYNTHESIZERS["multinets"]).values()) == SCALES["tiny"].pretraining.steps


def test_generators_differ_in_method_steps_and_restyling_alone(tmp_path, three_sites, monkeypatch):
    lines = []
    monkeypatch.setattr(pretraining, "run_command", lines.append)
    run = Run(tmp_path, 4, SCALES["small"], "cpu")
    for synthesizer in SYNTHESIZERS.values():
        pretrain(run, synthesizer, "m" if synthesizer.per_subdomain else None)
    options = [dict(pairwise(words)) for words in (line.split() for line in lines)]
    for synthesizer, line, given in zip(SYNTHESIZERS.values(), lines, options, strict=True):
        assert given["--method"] == synthesizer.method
        warmup = 200 if synthesizer.method == "intrastyler" else 0
        assert given["--style-warmup"] == str(warmup)
        assert int(given["--iterations"]) == (120 if synthesizer.per_subdomain else 300) + warmup
        assert (given.get("--weight") == "restyling=0") is not synthesizer.restyling
        assert ("--subdomain m" in line) is synthesizer.per_subdomain
    assert len({(given["--seed"], given["--recipe"], given["--held-out"]) for given in options}) == 1


def test_choice_of_methods():
    assert [method.key for method in chosen_methods(["oracle", "noadapt"], own_data=False)] == ["noadapt", "oracle"]
    assert len(chosen_methods(None, own_data=False)) == len(METHODS)
    left_out = set(METHODS) - {method.key for method in chosen_methods(None, own_data=True)}
    assert left_out == {"oracle"}
    with pytest.raises(InputError, match="'oracel' is not known"):
        chosen_methods(["oracel"], own_data=False)
    for key in left_out:
        with pytest.raises(InputError, match=f"'{key}' is for simulated images only"):
            chosen_methods([key], own_data=True)


def write_tests(folder: Path, images: list[str], labels: list[str]) -> Path:
    for name, cases in (("imagesTs", [f"{case}_0000" for case in images]), ("labelsTs", labels)):
        (folder / name).mkdir(parents=True)
        for case in cases:
            (folder / name / f"{case}.nii.gz").touch()
    return folder


def test_own_data_are_found_where_nnunet_keeps_them(own_dataset, tmp_path):
    tests = write_tests(tmp_path / "tests", ["test_1", "test_2"], ["test_1", "test_2"])
    own = find_own_data("998", tests, r"(\d)$", with_subdomains=True)
    assert own == OwnData("Dataset998_Tiny", own_dataset.raw, own_dataset.preprocessed, tests, r"(\d)$")


@pytest.mark.parametrize(
    ("images", "labels", "pattern", "message"),
    [
        (["test_1", "test_2"], ["test_1"], None, "found test_2, expected an image in imagesTs and labels in labelsTs"),
        (["test_1"], ["test_1", "test_2"], None, "found test_2, expected an image"),
        ([], [], None, "found no image, expected an image"),
        (["test_1", "target_0"], ["test_1", "target_0"], None, "target_0 is a target case, too"),
        (["test_1"], ["test_1"], "no(thing)", "finds nothing in its name"),
    ],
)
def test_own_data_that_cannot_be_compared_on_are_refused(own_dataset, tmp_path, images, labels, pattern, message):
    tests = write_tests(tmp_path / "tests", images, labels)
    with pytest.raises(InputError, match=message):
        find_own_data("998", tests, pattern, with_subdomains=pattern is not None)


def test_own_data_without_sites_need_a_pattern_for_sub_domains_alone(own_dataset, tmp_path):
    tests = write_tests(tmp_path / "tests", ["test_1"], ["test_1"])
    find_own_data("998", tests, None, with_subdomains=False)
    with pytest.raises(InputError, match="or give --subdomain-pattern"):
        find_own_data("998", tests, None, with_subdomains=True)


def test_own_data_are_linked_and_stay_as_they_are(tmp_path):
    for place in ("raw", "preprocessed"):
        (tmp_path / place / "images").mkdir(parents=True)
        (tmp_path / place / "plans.json").write_text("{}")
    own = OwnData("Dataset123_Own", tmp_path / "raw", tmp_path / "preprocessed", tmp_path / "tests")
    for _ in range(2):
        link(own, tmp_path / "run_raw", tmp_path / "run_preprocessed")
    (tmp_path / "run_preprocessed" / "plans.json").write_text('{"changed": 1}')
    (tmp_path / "run_preprocessed" / "images_pseudo").mkdir()
    assert (tmp_path / "preprocessed" / "plans.json").read_text() == "{}"
    assert sorted(path.name for path in (tmp_path / "preprocessed").iterdir()) == ["images", "plans.json"]
    assert (tmp_path / "run_raw" / "images").resolve() == tmp_path / "raw" / "images"
