"""Generator, DIN and discriminator."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fake_cuda import fake_cuda
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import convolve1d

from intrastyler_nnunet import Generator
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import DiscriminatorConfig, GeneratorConfig
from intrastyler_nnunet.model.discriminator import Discriminator
from intrastyler_nnunet.model.layers import DynamicInstanceNorm
from intrastyler_nnunet.model.metadata import GeneratorMetadata, LabelHint
from intrastyler_nnunet.translation.label_hint import apply_label_hint
from intrastyler_nnunet.translation.windows import from_generator_space, to_generator_space

TINY = GeneratorConfig(width=4, residual_blocks=5, style_dim=16, style_width=4)
WINDOWS = torch.tensor([[-3.0, 4.0], [-2.5, 3.0]], dtype=torch.float64)


def test_din_is_instance_norm_with_the_affine_part_of_the_style():
    din = DynamicInstanceNorm(style_dim=6, channels=3)
    x, style = torch.randn(2, 3, 5, 4, 3) * 4 + 1, torch.randn(2, 6)
    affine = style @ din.controller.weight.flatten(1).T + din.controller.bias
    for sample in range(2):
        expected = F.instance_norm(x[sample, None], weight=affine[sample, :3], bias=affine[sample, 3:])
        torch.testing.assert_close(din(x, style)[sample, None], expected)


@pytest.mark.parametrize("shape", [(16, 16, 8), (17, 10, 9), (8, 8, 8)])
def test_any_size_goes_in_and_comes_out(shape):
    torch.manual_seed(0)
    generator = Generator(TINY)
    image = torch.rand(2, 1, *shape) * 2 - 1
    style = generator.encode_style(image)
    torch.testing.assert_close(style.norm(dim=1), torch.ones(2))
    output = generator(image, style)
    assert output.shape == image.shape
    assert output.abs().max() <= 1


def test_only_the_style_and_the_content_decide():
    torch.manual_seed(0)
    generator = Generator(TINY)
    images, styles = torch.rand(2, 1, 16, 16, 8), F.normalize(torch.randn(2, 16), dim=1)
    together = generator(images, styles)
    for sample in range(2):
        alone = generator(images[sample, None], styles[sample, None])
        torch.testing.assert_close(together[sample, None], alone, atol=1e-5, rtol=1e-4)
    assert (generator(images, styles.flip(0)) - together).abs().max() > 1e-4


def test_a_skip_hands_the_source_to_the_last_stage():
    torch.manual_seed(0)
    plain, skipping = Generator(TINY), Generator(replace(TINY, skip=True))
    images, styles = torch.rand(2, 1, 17, 10, 9), F.normalize(torch.randn(2, 16), dim=1)
    skipping.load_state_dict(plain.state_dict() | {"decoder.stages.1.conv.weight": F.pad(
        plain.decoder.stages[1].conv.weight, (0, 0) * 3 + (0, 1)
    )})  # fmt: skip
    torch.testing.assert_close(skipping(images, styles), plain(images, styles))
    # The channel more is the source: weighted 1 in the kernel's middle, it adds itself to every channel.
    with torch.no_grad():
        skipping.decoder.stages[1].conv.weight[:, -1, 1, 1, 1] = 1.0
    stage, padded = plain.decoder.stages[1], plain.pad_to_stride(images)
    coarse = plain.decoder.stages[0](plain.content_encoder(padded)[0], styles)
    fine = torch.relu(stage.din(stage.conv(stage.up(coarse)) + padded, styles))
    expected = torch.tanh(plain.decoder.to_image(plain.decoder.pad(fine)))[..., :17, :10, :9]
    torch.testing.assert_close(skipping(images, styles), expected)


def test_a_file_holds_weights_architecture_and_metadata(tmp_path):
    hint = LabelHint(levels=(((1, 2), -0.4), ((3,), 0.5)))
    metadata = GeneratorMetadata(spacing=(1.5, 1.0, 1.0), label_hint=hint, training={"steps": 3})
    generator = Generator(TINY, metadata)
    generator.save(tmp_path / "generator.safetensors")
    loaded = Generator.load(tmp_path / "generator.safetensors")
    assert loaded.config == TINY
    assert loaded.metadata == metadata
    image = torch.rand(1, 1, 16, 16, 8)
    style = generator.encode_style(image)
    assert torch.equal(loaded.encode_style(image), style)
    assert torch.equal(loaded(image, style), generator(image, style))


def test_a_file_that_is_no_generator_is_refused(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "generator.safetensors"
    with pytest.raises(InputError, match="no such file"):
        Generator.load(path)
    path.write_bytes(b"\x00" * 100)
    with pytest.raises(InputError, match="not a safetensors file"):
        Generator.load(path)
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(InputError, match="found nothing in its header"):
        Generator.load(path)


def test_label_hint_inverts_and_shifts_where_the_labels_say():
    images = torch.tensor([-0.8, 0.5, 0.5, 0.9]).reshape(1, 1, 4, 1, 1)
    labels = torch.tensor([3, 0, 1, 2]).reshape(1, 1, 4, 1, 1)
    hinted = apply_label_hint(images, WINDOWS[:1], labels, LabelHint(inverted=(3,), shifted=(1, 2), shift=-0.6))
    torch.testing.assert_close(hinted.flatten(), torch.tensor([0.8, 0.5, -0.1, 0.3]))


def test_a_soft_hint_has_the_borders_of_partial_volume():
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(-1, 1, (2, 1, 9, 8, 7)), rng.integers(0, 4, (2, 1, 9, 8, 7))
    kernel = np.array([1, 2, 1]) / 4
    inverted, shifted = ((labels == 3).astype(float), np.isin(labels, (1, 2)).astype(float))
    for axis in (2, 3, 4):
        inverted, shifted = (convolve1d(share, kernel, axis, mode="nearest") for share in (inverted, shifted))
    expected = np.clip(images * (1 - 2 * inverted) - 0.6 * shifted, -1, 1)
    hint = LabelHint(shift=-0.6, soft=True)
    hinted = apply_label_hint(torch.from_numpy(images), WINDOWS, torch.from_numpy(labels), hint)
    np.testing.assert_allclose(hinted, expected, atol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), level=st.floats(-0.5, 0.5), soft=st.booleans())
def test_a_level_is_a_structures_z_score_and_neighbours_get_their_part_of_it(seed, level, soft):
    rng = np.random.default_rng(seed)
    scores, labels = rng.uniform(-1.0, 1.0, (2, 1, 9, 8, 7)), np.zeros((2, 1, 9, 8, 7), int)
    labels[0, 0, 1:4, 2:5, 1:4], labels[0, 0, 1, 2, 1], labels[0, 0, 6:8, 3:6, 2:6] = 1, 2, 3  # none in the second
    expected = scores.copy()
    for values, score in (((1, 2), level), ((3,), -0.2)):
        inside = np.isin(labels, values)
        share = inside.astype(float)
        for axis in (2, 3, 4) if soft else ():
            share = convolve1d(share, [0.25, 0.5, 0.25], axis, mode="nearest")
        expected = np.where(inside, score, expected + share * (score - expected[inside].mean()))
    hint = LabelHint(inverted=(), shifted=(), soft=soft, levels=(((1, 2), level), ((3,), -0.2)))
    images = to_generator_space(torch.from_numpy(scores), WINDOWS)
    hinted = apply_label_hint(images, WINDOWS, torch.from_numpy(labels), hint)
    np.testing.assert_allclose(from_generator_space(hinted, WINDOWS), expected, atol=1e-6)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("dtype", [None, torch.float16, torch.bfloat16])
def test_runs_on_a_cuda_device(dtype, skip):
    with fake_cuda(autocast=dtype):
        generator, discriminator = Generator(replace(TINY, skip=skip)), Discriminator(DiscriminatorConfig(width=4))
        image, labels = torch.rand(2, 1, 18, 16, 8), torch.zeros(2, 1, 18, 16, 8, dtype=torch.int16)
        style = generator.encode_style(image)
        hint = LabelHint(soft=skip, levels=(((1, 2), 0.1),) if skip else ())
        output = generator(apply_label_hint(image, torch.tensor([[-2.0, 4.0]] * 2), labels, hint), style)
        assert style.dtype == torch.float32  # the losses on it need full precision
        assert output.device.type == "cuda"
        assert output.shape == image.shape
        assert output.dtype == discriminator(output).dtype == (dtype or torch.float32)
