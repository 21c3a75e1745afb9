"""The translator against a second path written out with NumPy."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from fake_cuda import fake_cuda
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from tiny_dataset import tiny_generator

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata, LabelHint
from intrastyler_nnunet.nnunet.exemplar_translation import check_generator_fits
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.translation.precision import has_half_precision
from intrastyler_nnunet.translation.translator import Translator

SPATIAL = (10, 14, 17)


@dataclass
class Batch:
    images: torch.Tensor
    source_windows: torch.Tensor
    styles: torch.Tensor
    target_windows: torch.Tensor

    def __iter__(self):
        return iter(vars(self).values())


def batch(samples: int = 2) -> Batch:
    random = torch.Generator().manual_seed(0)
    return Batch(
        torch.randn(samples, 1, *SPATIAL, generator=random),
        torch.tensor([[-2.0, 2.5], [-1.5, 3.0]])[:samples],
        torch.nn.functional.normalize(torch.randn(samples, 8, generator=random)),
        torch.tensor([[-0.5, 4.0], [0.25, 1.5]])[:samples],
    )


def expected_translation(generator, given: Batch) -> np.ndarray:
    """Window, transpose, generate, transpose back, window: one sample at a time, in NumPy."""
    results = []
    for image, (lo, hi), style, (target_lo, target_hi) in zip(*given, strict=True):
        source = np.clip((image[0].numpy() - lo.item()) / (hi.item() - lo.item()), 0, 1) * 2 - 1
        source = source.transpose(2, 1, 0)
        target = generator(torch.from_numpy(source.copy())[None, None].float(), style[None])[0, 0]
        target = target.detach().numpy().transpose(2, 1, 0)
        results.append((target + 1) / 2 * (target_hi.item() - target_lo.item()) + target_lo.item())
    return np.stack(results)[:, None]


def test_equals_the_written_out_path():
    given = batch()
    translated = Translator(tiny_generator())(*given)
    assert translated.shape == given.images.shape
    np.testing.assert_allclose(translated.numpy(), expected_translation(tiny_generator(), given), atol=1e-5)


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_norms_can_switch_autocast_off_on_every_device(device):
    """What the networks do; PyTorch without autocast for a device complains even of that."""
    assert torch.amp.is_autocast_available(device)
    with torch.autocast(device, enabled=False):
        assert not torch.is_autocast_enabled(device)


def test_any_axis_order_comes_back():
    """With generator axis i = nnU-Net axis axes[i], transposing by hand before and after gives the same."""
    given = batch(1)
    axes = (1, 2, 0)
    translated = Translator(tiny_generator(axes=axes))(*given)
    plain = Translator(tiny_generator(axes=(0, 1, 2)))
    by_hand = given.images[0, 0].permute(*axes)[None, None]
    expected = plain(by_hand, *list(given)[1:])[0, 0]
    expected = torch.from_numpy(np.moveaxis(expected.numpy(), (0, 1, 2), axes).copy())
    torch.testing.assert_close(translated[0, 0], expected)


def test_stays_in_the_exemplars_window():
    given = batch()
    translated = Translator(tiny_generator())(*given)
    for image, (lo, hi) in zip(translated, given.target_windows, strict=True):
        assert lo <= image.min()
        assert image.max() <= hi


PADDED = (slice(None), slice(None), slice(4, 16), slice(8, 24), slice(4, 28))  # where the image lies in its padding


def padded_image() -> tuple[Batch, torch.Tensor, torch.Tensor]:
    """An image (1, 1, 12, 16, 24), the same with padding, and where that is."""
    given = batch(1)
    image = torch.nn.functional.avg_pool3d(
        torch.randn(1, 1, 14, 18, 26, generator=torch.Generator().manual_seed(3)), 3, 1
    )
    whole = torch.zeros(1, 1, 20, 32, 32)
    whole[PADDED] = given.images = 3 * image
    outside = torch.ones_like(whole, dtype=torch.bool)
    outside[PADDED] = False
    return given, whole, outside


@pytest.mark.parametrize("skip", [False, True])
def test_padding_is_zero_and_does_not_change_the_image(skip):
    given, whole, outside = padded_image()
    translator = Translator(tiny_generator(skip=skip))
    alone = translator(*given)
    masked, unmasked = (translator(whole, *list(given)[1:], mask) for mask in (outside, None))
    assert (masked[outside] == 0).all()
    changes = [float((translated[PADDED] - alone).abs().mean() / alone.std()) for translated in (masked, unmasked)]
    assert changes[0] < 1e-4  # the image's borders lie on the generator's strides
    assert changes[1] > 0.1


def test_a_volume_with_padding_is_what_the_batch_is():
    given, whole, outside = padded_image()
    translator = Translator(tiny_generator())
    rest = list(given)[1:]
    (volume,) = translator.volume(whole, *rest, outside, slab=8)
    torch.testing.assert_close(volume, translator(whole, *rest, outside), atol=1e-4, rtol=1e-4)


def test_batched_equals_one_by_one():
    given = batch()
    translator = Translator(tiny_generator())
    together = translator(*given)
    for i in range(2):
        alone = translator(*(part[i : i + 1] for part in given))
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{"samples_at_once": 1}, {"compiled": True}])
def test_neither_micro_batches_nor_compilation_change_the_result(options):
    given = batch()
    expected = Translator(tiny_generator())(*given)
    torch.testing.assert_close(Translator(tiny_generator(), **options)(*given), expected, atol=1e-5, rtol=1e-5)


def test_label_hint_changes_the_input_of_its_labels():
    given = batch(1)
    labels = torch.zeros(1, 1, *SPATIAL, dtype=torch.int16)
    labels[:, :, 4:6, 5:8, 5:9] = 3
    hinted = Translator(tiny_generator(label_hint=LabelHint()))
    plain = Translator(tiny_generator())
    assert torch.equal(hinted(*given, None, torch.zeros_like(labels)), plain(*given))
    # Inverting in generator space = mirroring the intensity in the middle of its window.
    lo, hi = given.source_windows[0]
    mirrored = torch.where(labels == 3, lo + hi - given.images.clamp(lo, hi), given.images)
    expected = plain(mirrored, *list(given)[1:])
    torch.testing.assert_close(hinted(*given, None, labels), expected, atol=1e-5, rtol=1e-5)


def test_needs_no_gradient_and_can_enter_autograd():
    given = batch()
    translator = Translator(tiny_generator())
    assert not any(parameter.requires_grad for parameter in translator.generator.parameters())
    translated = translator(*given)
    weight = torch.ones(1, requires_grad=True)
    (translated * weight).sum().backward()
    assert weight.grad.item() == pytest.approx(translated.sum().item(), rel=1e-4)


def test_runs_on_a_cuda_device_in_half_precision_without_reading_back(monkeypatch):
    # torch.autocast switches itself off where there is no driver; the fake device needs none.
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    precisions = set()
    with fake_cuda():
        generator = tiny_generator(label_hint=LabelHint())
        for module in generator.modules():
            if isinstance(module, torch.nn.Conv3d):
                module.register_forward_hook(lambda *arguments: precisions.add(arguments[-1].dtype))
        images = torch.randn(2, 1, *SPATIAL)
        windows = torch.tensor([[-2.0, 2.0], [-1.0, 2.0]])
        outside = torch.zeros(2, 1, *SPATIAL, dtype=torch.bool)
        labels = torch.zeros(2, 1, *SPATIAL, dtype=torch.int16)
        translator = Translator(generator, samples_at_once=1)
        translated = translator(images, windows, torch.randn(2, 8), windows, outside, labels)
        weights = generator.content_encoder.layers[4].weight
        assert weights.is_contiguous(memory_format=torch.channels_last_3d)
    assert precisions == {torch.float16}
    assert translated.device.type == "cuda"
    assert translated.dtype == torch.float32
    assert translated.shape == images.shape


@pytest.mark.half_precision
@pytest.mark.skipif(not has_half_precision(torch.device("cpu")), reason="this CPU has no bfloat16 units")
def test_bfloat16_on_a_cpu_changes_translations_by_less_than_can_be_seen(monkeypatch):
    generator = Generator.load(shipped_generator())
    torch.manual_seed(0)
    images = torch.nn.functional.avg_pool3d(torch.randn(1, 1, 20, 36, 36), 5, 1)
    windows, styles = torch.tensor([[-2.0, 2.0]]), torch.nn.functional.normalize(torch.randn(1, 256), dim=1)
    labels = torch.zeros_like(images, dtype=torch.int16)
    translator = Translator(generator)
    half = translator(images, windows, styles, windows, labels=labels)
    monkeypatch.setattr("intrastyler_nnunet.translation.precision.has_half_precision", lambda device: False)
    whole = translator(images, windows, styles, windows, labels=labels)
    assert 0 < (half - whole).abs().mean() < 0.003 * 4


def plans(**changes) -> tuple[PlansManager, ConfigurationManager]:
    configuration = {
        "spacing": [1.5, 1.0, 1.0],
        "normalization_schemes": ["ZScoreNormalization"],
        "patch_size": [16, 32, 32],
        "architecture": {},
    }
    transpose = changes.pop("transpose_forward", [0, 1, 2])
    return PlansManager({"transpose_forward": transpose}), ConfigurationManager(configuration | changes)


FITTING = GeneratorMetadata(
    spacing=(1.5, 1.0, 1.0), transpose_forward=(0, 1, 2), normalization=("ZScoreNormalization",)
)


def test_a_fitting_generator_is_accepted_without_a_word():
    assert check_generator_fits(FITTING, *plans()) == []
    assert check_generator_fits(FITTING, *plans(spacing=[1.5 * 1.04, 1.0, 0.96])) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"spacing": [1.5, 1.06, 1.0]}, "spacing [1.5, 1.0, 1.0], but the plans have [1.5, 1.06, 1.0]"),
        ({"spacing": [1.5, 1.0]}, "spacing"),
        ({"transpose_forward": [2, 0, 1]}, "transpose_forward [0, 1, 2], but the plans have [2, 0, 1]"),
        ({"normalization_schemes": ["CTNormalization"]}, "normalization ['ZScoreNormalization'], but"),
        ({"normalization_schemes": ["ZScoreNormalization"] * 2}, "2 image channels; expected one"),
        ({"patch_size": [32, 32]}, "this configuration is 2D, but generators translate volumes"),
    ],
)
def test_a_generator_that_does_not_fit_is_refused(change, named):
    with pytest.raises(InputError) as error:
        check_generator_fits(FITTING, *plans(**change))
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_what_a_generator_does_not_state_is_a_warning():
    warnings_ = check_generator_fits(GeneratorMetadata(), *plans())
    assert [warning.split("its ")[1].split(";")[0] for warning in warnings_] == [
        "spacing", "transpose_forward", "normalization",
    ]  # fmt: skip


@pytest.mark.parametrize(("patch_size", "warned"), [((16, 32, 48), True), ((16, 32, 40), False), ((8, 16, 16), False)])
def test_much_smaller_patches_than_the_generators_are_a_warning(patch_size, warned):
    warnings_ = check_generator_fits(replace(FITTING, patch_size=patch_size), *plans())
    assert [f"patches of {list(patch_size)}" in warning for warning in warnings_] == [True] * warned
