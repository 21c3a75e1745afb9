"""Datasets of several image channels: which one is translated, and how its images are preprocessed."""

import numpy as np
import pytest
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.cases import PreprocessedCases, one_channel_plans, translated_channel
from intrastyler_nnunet.translation.windows import read_windows

TWO = {"channel_names": {"0": "CT", "1": "ceT1"}}


def test_the_only_channel_or_the_named_one():
    assert translated_channel({"channel_names": {"0": "MRI"}}, None) == 0
    assert translated_channel({"modality": {"0": "MRI"}}, "MRI") == 0
    assert [translated_channel(TWO, name) for name in ("CT", "ceT1")] == [0, 1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "no channel is named, expected the one to translate: CT, ceT1"),
        ("T1", "there is no channel 'T1', expected the one to translate: CT, ceT1"),
    ],
)
def test_no_guess_among_several(name, message):
    with pytest.raises(InputError, match=message):
        translated_channel(TWO, name)


def test_one_channels_plans_are_those_of_a_dataset_that_has_no_other():
    plans = PlansManager({
        "configurations": {
            "3d_fullres": {
                "normalization_schemes": ["CTNormalization", "ZScoreNormalization"], "use_mask_for_norm": [False, True],
                "spacing": [1, 1, 1], "architecture": {},
            },
            "inherited": {"inherits_from": "3d_fullres", "spacing": [2, 2, 2]},
        },
        "foreground_intensity_properties_per_channel": {"0": {"mean": 40}, "1": {"mean": 300}},
    })  # fmt: skip
    alone = one_channel_plans(plans, 1)
    assert alone.foreground_intensity_properties_per_channel == {"0": {"mean": 300}}
    for name, spacing in (("3d_fullres", [1, 1, 1]), ("inherited", [2, 2, 2])):
        configuration = alone.get_configuration(name)
        assert configuration.normalization_schemes == ["ZScoreNormalization"]
        assert configuration.use_mask_for_norm == [True]
        assert configuration.spacing == spacing
    assert len(plans.get_configuration("3d_fullres").normalization_schemes) == 2


@pytest.mark.parametrize(("schemes", "properties"), [(["CT"], {"0": {}, "1": {}}), (["CT", "ZScore"], {"0": {}})])
def test_plans_with_fewer_channels_than_the_dataset_are_refused(schemes, properties):
    plans = PlansManager({
        "plans_name": "nnUNetPlans", "configurations": {"3d_fullres": {"normalization_schemes": schemes}},
        "foreground_intensity_properties_per_channel": properties,
    })  # fmt: skip
    with pytest.raises(InputError, match=r"nnUNetPlans\.json: has no channel 1"):
        one_channel_plans(plans, 1)


def test_the_synthesizer_sees_the_named_channel_in_its_own_window(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    data = np.random.default_rng(0).normal(size=(2, 8, 10, 12)).astype(np.float32)
    data[1] = 5 * data[1] + 100
    nnUNetDatasetBlosc2.save_case(data, np.zeros((1, 8, 10, 12), np.int16), {}, str(folder / "case"))
    for channel in (0, 1):
        low, high = read_windows(folder, channel=channel)["case"]
        assert (low, high) == (data[channel].min(), pytest.approx(np.percentile(data[channel], 99.9)))
        cases = PreprocessedCases(folder, (2, 1, 0), channel=channel)
        patch, _ = cases.patch("case", np.array([1, 2, 3]), (4, 5, 6))
        expected = np.clip((data[channel, 1:5, 2:7, 3:9] - low) / (high - low), 0, 1) * 2 - 1
        np.testing.assert_allclose(patch[0, 0].permute(2, 1, 0), expected, atol=1e-5)
