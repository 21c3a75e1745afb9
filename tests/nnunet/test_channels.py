"""Datasets of several image channels: which one is translated, and how its images are preprocessed."""

import pytest
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.channels import one_channel_plans, translated_channel

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
