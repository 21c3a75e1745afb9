"""Pairs and measures of translations against changes of the truth whose effect is known."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.comparison.plan import SCALES
from benchmarks.comparison.simulated import training_cases
from benchmarks.quality.judge import judged
from benchmarks.quality.simulated_pairs import (
    TISSUES,
    code_of,
    held_out_pairs,
    in_one_style,
    tissue_means,
    wrong_orders,
)
from intrastyler_nnunet.model.config import preset
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.pretraining.competitors import codes_of
from intrastyler_nnunet.simulation.plan import plan_dataset


@pytest.fixture(scope="module")
def pairs():
    return held_out_pairs(1, 1, "tiny")


def measures_of(images, pairs) -> dict[str, float]:
    return judged(images, pairs, None)["all"]


def test_a_brighter_image_is_wrong_by_what_was_added_but_in_order(pairs):
    measures = measures_of([pair.truth + 0.5 for pair in pairs], pairs)
    assert (measures["error"], measures["error_structures"]) == pytest.approx((0.5, 0.5), abs=1e-5)
    assert measures["orders_right"] == 1


def test_errors_in_structures_are_means_over_their_voxels(pairs):
    labelled = [pair.source.anatomy.labels > 0 for pair in pairs]
    measures = measures_of([pair.truth + 2 * mask for pair, mask in zip(pairs, labelled, strict=True)], pairs)
    assert measures["error_structures"] == pytest.approx(2, abs=1e-5)
    assert measures["error"] == pytest.approx(2 * np.mean(labelled), abs=1e-5)


def test_in_a_negative_every_order_is_wrong(pairs):
    assert measures_of([-pair.truth for pair in pairs], pairs)["orders_right"] == 0
    means = tissue_means(pairs[0].truth, pairs[0].source.anatomy)
    apart = [(a, b) for a in TISSUES for b in TISSUES if means[a] - means[b] >= 0.3]
    assert sorted(wrong_orders(means, {name: -mean for name, mean in means.items()})) == sorted(
        f"{a} > {b}" for a, b in apart
    )


def test_one_style_is_the_truth_for_its_own_image_and_wrong_for_others(pairs):
    image = pairs[1].exemplar
    lo, hi = image.window
    shares = (np.clip(image.rescan(pairs[1].source.anatomy, 1), lo, hi) - lo) / (hi - lo)
    images = in_one_style(pairs, image)
    for pair, styled in zip(pairs, images, strict=True):
        lo, hi = pair.exemplar.window
        np.testing.assert_allclose(styled, lo + shares * (hi - lo), atol=1e-5)
    errors = [np.abs(styled - pair.truth).mean() for pair, styled in zip(pairs, images, strict=True)]
    assert errors[1] < 0.1 * min(errors[0], errors[2])  # not 0: what lies beyond the window is clipped


@pytest.mark.parametrize("cases", [
    training_cases(SCALES["small"], 0), plan_dataset("pretraining", 0, paired=False, test_head="colin27"),
])  # fmt: skip
def test_a_site_is_scored_with_the_code_that_its_cases_are_trained_with(cases):
    sites = {case.case: case.site for case in cases if case.split == "target"}
    for method, length in (("unified", 3), ("nodiverse", 1)):
        codes = codes_of(sites, method, None)
        config = replace(preset("mini")[0], style_width=0, style_dim=length)
        generator = Generator(config, GeneratorMetadata(method=method, codes=codes))
        assert {case: tuple(code_of(generator, site).tolist()) for case, site in sites.items()} == codes
    assert code_of(Generator(preset("mini")[0]), "target_a") is None


def test_a_generator_of_other_sub_domains_is_not_scored():
    config = replace(preset("mini")[0], style_width=0, style_dim=2)
    generator = Generator(config, GeneratorMetadata(method="unified", codes={"case": (0.0, 1.0)}))
    with pytest.raises(ValueError, match="expected those of the sites"):
        code_of(generator, "target_a")
