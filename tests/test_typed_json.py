"""JSON of every kind of file, whole and damaged: the value that was written, or one line that says what is wrong."""

import json
import re
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intrastyler_nnunet.crossmoda.prepare import CaseRecord, Preparation
from intrastyler_nnunet.crossmoda.ranking import TeamScores
from intrastyler_nnunet.crossmoda.region import Region
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.grids import SamplingGrid
from intrastyler_nnunet.model.config import PRESETS, GeneratorConfig
from intrastyler_nnunet.model.metadata import GeneratorMetadata, LabelHint
from intrastyler_nnunet.nnunet.descriptions import DatasetDescription, PlansDescription
from intrastyler_nnunet.nnunet.self_training import CaseList
from intrastyler_nnunet.nnunet.settings import ResolvedSettings, TrainerSettings
from intrastyler_nnunet.nnunet.style_validation import EpochDice
from intrastyler_nnunet.offline.dataset import OfflineSynthesis, Provenance, SynthesisRecord
from intrastyler_nnunet.pretraining.competitors import CaseSite, SiteList
from intrastyler_nnunet.pretraining.record import Row
from intrastyler_nnunet.simulation.challenge import ChallengeSimulation
from intrastyler_nnunet.simulation.plan import plan_dataset
from intrastyler_nnunet.simulation.raw_dataset import SimulatedDataset, dataset_json
from intrastyler_nnunet.styles.coverage import CoverageResult, CoveredImage
from intrastyler_nnunet.translation.windows import CachedWindow
from intrastyler_nnunet.typed_json import Count, FileName, FileNames, decode_json, read_json, read_json_lines
from intrastyler_nnunet.workflow import WallTime

GRID = SamplingGrid((20, 24, 10), (0.7, 0.5, 2.0), (5.0, -3.0, 1.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
SCORES = {"dice": 0.8, "assd": 0.5, "penalised": False}
PLANS = {
    "dataset_name": "Dataset998_Tiny", "plans_name": "nnUNetPlans", "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2], "label_manager": "LabelManager",
    "configurations": {
        "3d_fullres": {
            "data_identifier": "nnUNetPlans_3d_fullres", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
            "patch_size": [16, 32, 32], "spacing": [1.5, 1.0, 1.0], "normalization_schemes": ["ZScoreNormalization"],
            "use_mask_for_norm": [False], "architecture": {"arch_kwargs": {"n_stages": 3}},
        },
        "tiny": {"inherits_from": "3d_fullres", "batch_size": 1},
    },
    "foreground_intensity_properties_per_channel": {"0": {"mean": 3.5, "std": None}},
}  # fmt: skip
# What each kind of file holds, as it is written, and how entries are read that it does not have.
FILES = {
    "architecture": (GeneratorConfig, PRESETS["light"][0], "forbid"),
    "metadata": (GeneratorMetadata, GeneratorMetadata(
        spacing=(1.5, 1.0, 1.0), transpose_forward=(0, 1, 2), orientation="LPS", normalization=("ZScore",),
        use_mask_for_norm=(False,), intensity_properties={"mean": 3.5},
        patch_size=(16, 32, 32), codes={"case_0": (1.0, 0.0)}, label_hint=LabelHint(levels=(((1, 2), -0.4),)),
        training={"iteration": 3, "config": {"betas": [0.5, 0.9]}},
    ), "forbid"),
    "geometry": (CaseRecord, CaseRecord(GRID, GRID, True, Preparation(Region(), False, (("a", 1, 2),))), "ignore"),
    "region": (Region, Region(), "forbid"),
    "settings": (TrainerSettings, TrainerSettings(policy={"uniform": 1.0}, exemplars=["a"], num_epochs=3), "forbid"),
    "resolved": (ResolvedSettings, ResolvedSettings(generator="g", generator_sha256="0a"), "ignore"),
    "case list": (CaseList, CaseList({"a": 1, "b": 2}, {"c": ["no tumour"]}), "forbid"),
    "coverage": (CoverageResult, CoverageResult((CoveredImage("a", 12.5, True),)), "ignore"),
    "scores": (TeamScores, {
        "cases": {"a": {"structures": {"vs": SCORES}, "boundary": None}}, "structures": {"vs": SCORES},
        "assd_definition": "pooled", "mean_dice": 0.8,
    }, "ignore"),
    "sites of a simulation": (SimulatedDataset, SimulatedDataset(
        "tiny", 5, False, "colin27", tuple(plan_dataset("tiny", 5, paired=False, test_head="colin27")[::7]),
    ), "forbid"),
    "sites": (SiteList, SiteList((CaseSite("a", "x"), CaseSite("b", "y"))), "ignore"),
    "simulated download": (ChallengeSimulation, ChallengeSimulation("tiny", 5, "colin27"), "ignore"),
    "synthesis": (SynthesisRecord, SynthesisRecord(
        OfflineSynthesis("Dataset998_Tiny", "nnUNetPlans", "tiny", "0a", 2, "uniform", 0.5, 3),
        "0b", {"a_style0": Provenance("a", ("t1", "t2"), 0.3)},
    ), "forbid"),
    "windows": (dict[FileName, CachedWindow], {"a": CachedWindow((-2.0, 3.5), 17)}, "ignore"),
    "wall time": (WallTime, WallTime(2.5), "forbid"),
    "dice by style": (EpochDice, EpochDice(3, {"a": 0.5, "b": None}), "forbid"),
    "statistics": (Row, {"iteration": 10, "nce": 1.5, "skipped": 0, "counts": False}, "forbid"),
    "dataset.json": (DatasetDescription, dataset_json(3) | {"regions_class_order": [1, 2]}, "allow"),
    "plans": (PlansDescription, PLANS, "allow"),
}  # fmt: skip


def plain(value):
    """Dataclasses as dictionaries, also within lists and dictionaries."""
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    return asdict(value) if is_dataclass(value) else value


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_is_read_back(name):
    kind, value, unknown = FILES[name]
    read = decode_json(json.dumps(plain(value)), kind, "f.json", "a file", unknown)
    if name == "scores":  # the dataclass holds a part of the file
        assert read.cases["a"].structures["vs"].dice == 0.8
        assert read.assd_definition == "pooled"
    else:
        assert read == value


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["", "..", "a/b", "a\nb", 10**400, -1, 0, 10**9, "x" * 300]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4), max_leaves=5,
)  # fmt: skip


def places(value, place=()):
    """The way to every value within a value."""
    yield place
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in entries:
        yield from places(entry, (*place, name))


@st.composite
def damaged(draw, content):
    """The text of `content` with an entry replaced, removed or added, or with other bytes."""
    content = json.loads(json.dumps(content))
    *way, last = draw(st.sampled_from([place for place in places(content) if place]))
    parent = content
    for name in way:
        parent = parent[name]
    what = draw(st.sampled_from(["replace", "replace", "remove", "add", "bytes"]))
    if what == "replace":
        parent[last] = draw(ANYTHING)
    elif what == "remove":
        del parent[last]
    elif what == "add" and isinstance(parent, dict):
        parent[draw(st.text(max_size=4))] = draw(ANYTHING)
    text = json.dumps(content).encode()
    if what == "bytes":
        start, length = draw(st.integers(0, len(text))), draw(st.integers(0, 9))
        text = text[:start] + draw(st.binary(max_size=3)) + text[start + length :]
    return text


@settings(max_examples=1500)
@given(data=st.data(), name=st.sampled_from(sorted(FILES)))
def test_a_damaged_file_is_refused_in_one_line_or_holds_another_proper_value(data, name):
    kind, value, unknown = FILES[name]
    text = data.draw(damaged(plain(value)))
    try:
        read = decode_json(text, kind, "f.json", "a file", unknown)
    except InputError as error:
        reason = str(error)
    else:
        reason = ""
        again = json.dumps(plain(read), sort_keys=True)
        once_more = decode_json(again, kind, "f.json", "a file", "forbid" if is_dataclass(read) else unknown)
        assert json.dumps(plain(once_more), sort_keys=True) == again
    assert re.fullmatch(r"(f\.json: .{1,600})?", reason)
    assert len(reason.splitlines()) <= 1


@dataclass(frozen=True)
class Inner:
    count: Count = 1


@dataclass(frozen=True)
class Outer:
    ratio: float
    inner: Inner | None = None
    pairs: tuple[tuple[int, int], ...] = ()
    choice: Literal["one", "two"] | list[str] = "one"
    cases: dict[FileName, Count] = field(default_factory=dict)
    names: FileNames | None = None

    def __post_init__(self):
        if self.ratio > 100:
            raise InputError("the ratio is too large")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"ratio": true}', "ratio is true, expected a number"),
        ('{"ratio": "1"}', 'ratio is "1", expected a number'),
        ('{"ratio": NaN}', "ratio is NaN, expected a finite number"),
        ('{"ratio": 1e999}', "ratio is Infinity, expected a finite number"),
        ('{"ratio": 101}', "the ratio is too large"),
        ('{"ratio": 1, "ratoi": 1}', 'unknown entry "ratoi", expected ratio, inner, pairs, choice, cases, names'),
        ('{"ratio": 1, "inner": {"y": 1}}', 'unknown entry "inner.y", expected a test'),
        ('{"ratio": 1, "inner": {"count": 0}}', "inner.count is 0, expected 1 or more"),
        ('{"ratio": 1, "inner": {"count": 1.5}}', "inner.count is 1.5, expected a whole number"),
        ('{"ratio": 1, "pairs": [[1, 2], [1, 2, 3]]}', "pairs.1 is [1, 2, 3], expected at most 2 items, not 3"),
        ('{"ratio": 1, "choice": 5}', "choice is 5, expected 'one' or 'two' or a list"),
        ('{"ratio": 1, "choice": ["a", 5]}', "choice.1 is 5, expected a string"),
        ('{"ratio": 1, "cases": {"../a": 1}}', 'found the name "../a" in cases, expected a name of 1 to 200 bytes'),
        ('{"ratio": 1, "names": ["a\\u0007"]}', 'names.0 is "a\\u0007", expected no control characters'),
        ('{"ratio": 1, "names": [""]}', 'names.0 is "", expected a name of 1 to 200 bytes without path separators'),
        ('{"ratio": 1, "names": []}', "names is [], expected at least 1 item"),
        ('{"ratio": 1, "ratio": 2}', 'not valid JSON in UTF-8 ("ratio" stands twice in an object), expected a test'),
        ("{}", 'no entry "ratio" in it, expected a test'),
        ("[]", "found [], expected a test"),
        ("", "not valid JSON in UTF-8 (an empty file), expected a test"),
        ("\ufeff{}", "not valid JSON in UTF-8 (a byte order mark), expected a test"),
        ('{"ratio": ', "not valid JSON in UTF-8 (Expecting value: line 1 column 11 (char 10)), expected a test"),
        (b'{"ratio": "\xff"}', "not valid JSON in UTF-8 ('utf-8' codec can't decode byte 0xff"),
        ('{"ratio": "\\ud800"}', "not valid JSON (unexpected end of hex escape"),
        ('{"ratio": ' + "[" * 250 + "]" * 250 + "}", "not valid JSON (recursion limit exceeded"),
        ("[" * 100_000, "not valid JSON in UTF-8 (maximum recursion depth exceeded"),
        ("9" * 5000, "not valid JSON in UTF-8 (Exceeds the limit (4300 digits)"),
    ],
)
def test_the_line_names_the_entry_what_was_found_and_what_was_expected(text, message):
    with pytest.raises(InputError) as error:
        decode_json(text, Outer, "f.json", "a test")
    assert str(error.value).startswith(f"f.json: {message}")
    assert "\n" not in str(error.value)


def test_whole_numbers_stand_for_floats_and_lists_for_tuples():
    assert decode_json('{"ratio": 2, "pairs": [[1, 2]]}', Outer, "f", "a test") == Outer(2.0, pairs=((1, 2),))


def test_entries_of_others_are_kept_ignored_or_refused_in_all_depths():
    text = '{"labels": {"a": 1}, "file_ending": ".png", "mine": [1, {"x": NaN}]}'
    assert decode_json(text, DatasetDescription, "f", "a test", "allow")["mine"][0] == 1
    assert decode_json('{"ratio": 1, "inner": {"y": 1}}', Outer, "f", "a test", "ignore") == Outer(1.0, Inner())


def test_files_that_cannot_be_read(tmp_path):
    for path, reason in ((tmp_path / "none.json", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError, match=f"{path}: {reason}, expected a test"):
            read_json(path, Outer, "a test")


def test_of_lines_only_the_last_may_be_cut_short(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"count": 1}\n{"count": 2}\n{"cou')
    assert read_json_lines(path, Inner, "a test") == [Inner(1), Inner(2)]
    path.write_text('{"count": 1}\n{"count": 2}')
    assert read_json_lines(path, Inner, "a test") == [Inner(1), Inner(2)]
    path.write_text('{"count": 1}\n{"cou\n{"count": 2}\n')
    with pytest.raises(InputError, match=r"lines\.jsonl: line 2: not valid JSON"):
        read_json_lines(path, Inner, "a test")
