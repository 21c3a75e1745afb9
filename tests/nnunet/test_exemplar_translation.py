"""Several generators and several channels in one batch, against each generator's translator called alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fake_cuda import fake_cuda
from tiny_dataset import tiny_generator

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.exemplar_translation import ExemplarTranslation
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.sampling import KEEP_SOURCE, StyleDraw
from intrastyler_nnunet.translation.translator import Translator

SPATIAL = (8, 12, 16)
WINDOWS = {"a": (-1.0, 2.0), "b": (-1.5, 2.5), "c": (-0.5, 1.0), "d": (-2.0, 2.0)}
CODES = {"first": (1.0, 0.0), "second": (0.0, 1.0)}


def bank(vectors: torch.Tensor) -> StyleBank:
    count = len(vectors)
    windows = torch.tensor([[-1.0, 1.0 + number] for number in range(count)])
    return StyleBank(tuple(f"exemplar_{number}" for number in range(count)), vectors, windows, torch.zeros(count))


def translations(channel: int = 0, device: str = "cpu") -> ExemplarTranslation:
    """A generator with three styles and one with two codes."""
    learnt = bank(F.normalize(torch.eye(3, 8) + 0.1, dim=1))
    codes = bank(torch.eye(2))
    generators = (tiny_generator(), tiny_generator(1, method="unified", codes=CODES))
    return ExemplarTranslation([Translator(g) for g in generators], (learnt, codes), WINDOWS, device, channel)


def alone(given: ExemplarTranslation, number: int, image: torch.Tensor, case: str, exemplar: int) -> torch.Tensor:
    """One image (1, 1, *spatial) by one generator."""
    bank = given.banks[number]
    style, window = (getattr(bank, name)[exemplar : exemplar + 1] for name in ("vectors", "windows"))
    return given.translators[number](image, torch.tensor([WINDOWS[case]]), style, window)


@pytest.mark.parametrize("channel", [0, 1])
def test_each_sample_by_its_own_generator_and_only_the_named_channel(channel):
    given = translations(channel)
    images = torch.randn(4, 2, *SPATIAL, generator=torch.Generator().manual_seed(0))
    draw = StyleDraw.of(np.array([4, 1, KEEP_SOURCE, 0]))  # the second code, two learnt styles
    result = given.translate_batch(images, torch.zeros_like(images, dtype=torch.bool), None, list("abcd"), draw)
    expected = images.clone()
    for sample, number, exemplar in ((0, 1, 1), (1, 0, 1), (3, 0, 0)):
        image = images[sample : sample + 1, channel : channel + 1]
        expected[sample, channel] = alone(given, number, image, "abcd"[sample], exemplar)[0, 0]
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(result[:, 1 - channel], images[:, 1 - channel])


def test_interpolated_styles_stay_with_their_generator():
    given = translations()
    images = torch.randn(2, 1, *SPATIAL, generator=torch.Generator().manual_seed(0))
    outside = torch.zeros_like(images, dtype=torch.bool)
    draw = StyleDraw(np.array([0, 3]), np.array([2, 4]), np.array([0.5, 0.5]))
    result = given.translate_batch(images, outside, None, ["a", "b"], draw)
    for number, own in enumerate((StyleDraw(*map(np.array, ([0], [2], [0.5]))),
                                  StyleDraw(*map(np.array, ([0], [1], [0.5]))))):  # fmt: skip
        part = slice(number, number + 1)
        single = ExemplarTranslation(given.translators[number:][:1], given.banks[number:][:1], WINDOWS, "cpu")
        expected = single.translate_batch(images[part], outside[part], None, ["ab"[number]], own)
        torch.testing.assert_close(result[part], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("exemplar", [2, 3])
def test_whole_cases(exemplar):
    given = translations(channel=1)
    image = np.random.default_rng(0).normal(size=(2, *SPATIAL)).astype(np.float32)
    labels = np.zeros((1, *SPATIAL), np.int16)
    result = given.translate_case(image, labels, "b", StyleDraw.of(np.array([exemplar])))[0]
    number, own = (0, 2) if exemplar == 2 else (1, 0)
    expected = alone(given, number, torch.from_numpy(image[1:])[None], "b", own)[0, 0]
    np.testing.assert_allclose(result[1], expected, atol=1e-4)
    assert np.array_equal(result[0], image[0])
    (kept,) = given.translate_case(image, labels, "b", StyleDraw.of(np.array([KEEP_SOURCE])))
    assert np.array_equal(kept, image)


def test_on_a_cuda_device_without_reading_back(monkeypatch):
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    with fake_cuda():
        given = translations(channel=1, device="cuda")
        images = torch.randn(3, 2, *SPATIAL)
        draw = StyleDraw(np.array([4, 1, 0]), np.array([3, 2, 0]), np.array([0.5, 0.0, 0.3]))
        result = given.translate_batch(images, images > 5, None, list("abc"), draw)
        assert result.device.type == "cuda"
        assert result.shape == images.shape


def test_features_of_whole_cases_stay_on_a_cuda_device_that_holds_them(monkeypatch):
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    seen = []
    with fake_cuda():
        translator = translations(device="cuda").translators[0]
        stages = translator.generator.decoder.stages
        stages[0].conv.register_forward_pre_hook(
            lambda _, inputs: seen.append((inputs[0].device.type, inputs[0].dtype))
        )
        encoded = []
        translator.generator.content_encoder.layers[0].register_forward_hook(lambda *_: encoded.append(1))
        given = ExemplarTranslation([translator], [], WINDOWS, "cuda")
        with torch.device("cpu"):
            parts = torch.zeros(1, 1, *SPATIAL), torch.zeros(1, 2), torch.zeros(2, 8), torch.zeros(2, 2), None, None
        volumes = given._volumes(translator, parts)
        assert [volume.device.type for volume in volumes] == ["cpu", "cpu"]
        assert [tuple(volume.shape) for volume in volumes] == [(1, 1, *SPATIAL)] * 2
    assert {device for device, _ in seen} == {"cuda"}
    assert len(encoded) == 1


def acquiring(acquisition: bool | None, trained: bool) -> ExemplarTranslation:
    """A generator with two styles whose exemplars differ in their noise alone."""
    rows = torch.tensor([[0.3, *[0.0] * 6, -0.8, -0.6, -0.4, 0.0, 0.4, 0.6, 0.8]] * 2)
    rows[1, 0] = 0.1
    styles = replace(bank(F.normalize(torch.ones(2, 8), dim=1)), acquisitions=rows)
    translator = Translator(tiny_generator(acquisition=trained))
    return ExemplarTranslation([translator], [styles], WINDOWS, "cpu", acquisition=acquisition)


@pytest.mark.parametrize(("acquisition", "trained", "used"), [
    (None, False, False), (None, True, True), (False, True, False), (True, False, True),
])  # fmt: skip
def test_translations_are_acquired_if_the_generator_was_trained_for_it_or_the_settings_say_so(
    acquisition, trained, used
):
    images = torch.randn(2, 1, *SPATIAL, generator=torch.Generator().manual_seed(0))
    draw = StyleDraw(np.array([0, 0]), np.array([0, 1]), np.array([0.0, 0.5]))
    given, plain = acquiring(acquisition, trained), acquiring(False, trained)
    first, again, other, without = (
        translation.translate_batch(images, None, None, list("ab"), draw, torch.Generator().manual_seed(seed))
        for translation, seed in ((given, 1), (given, 1), (given, 2), (plain, 1))
    )
    assert torch.equal(first, again)
    assert torch.equal(first, other) != used
    assert torch.equal(first, without) != used
    if used:  # half-way between two exemplars there is half-way as much noise
        spread = (first - other).std(dim=(1, 2, 3, 4)) / torch.tensor([2.0, 2.5])  # of windows of this width
        assert spread[1] / spread[0] == pytest.approx(0.2 / 0.3, abs=0.1)


def test_a_case_has_its_own_noise_whatever_else_it_is_translated_to():
    given = acquiring(True, True)
    image = np.random.default_rng(0).normal(size=(1, *SPATIAL)).astype(np.float32)
    labels = np.zeros((1, *SPATIAL), np.int16)
    both, first, seeded = (
        given.translate_case(image, labels, "b", StyleDraw.of(np.array(exemplars)), seed)
        for exemplars, seed in (([0, 1], 0), ([1], 0), ([1], 1))
    )
    assert np.array_equal(both[1], first[0])
    assert not np.array_equal(first[0], seeded[0])
    with pytest.raises(InputError, match="the style bank has none"):
        ExemplarTranslation(given.translators, [bank(torch.eye(2, 8))], WINDOWS, "cpu", acquisition=True)
