"""Slab by slab against the whole volume in one pass."""

import pytest
import torch
from fake_cuda import fake_cuda

from intrastyler_nnunet.model.config import PRESETS, GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.translation.streaming import MARGIN, translate_streamed

CONFIGS = {
    "two equal stages": GeneratorConfig(width=4, residual_blocks=2, style_width=4),
    "unequal strides": GeneratorConfig(
        width=4, residual_blocks=1, style_width=4, strides=((2, 2, 1), (2, 2, 2)), outer_kernel=(5, 5, 3)
    ),
    "blocks of voxels": GeneratorConfig(
        width=4,
        residual_blocks=1,
        style_width=4,
        strides=((2, 2, 1), (1, 1, 2)),
        outer_kernel=(3, 3, 3),
        pixel_block=(2, 2, 1),
        skip=True,
    ),
    "skip": GeneratorConfig(width=4, residual_blocks=1, style_width=4, skip=True),
    "released blur": GeneratorConfig(width=4, residual_blocks=1, style_width=4, released_blur=True),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("slab", [1, 12, 1000])
@pytest.mark.parametrize("shape", [(61, 40, 16), (37, 21, 13), (8, 8, 8)])
def test_slabs_give_what_one_pass_gives_at_every_voxel(config, slab, shape):
    torch.manual_seed(0)
    generator = Generator(config).eval()
    source = torch.rand(1, 1, *shape) * 2 - 1
    styles = torch.nn.functional.normalize(torch.randn(3, config.style_dim))
    with torch.no_grad():
        expected = [generator(source, style[None]) for style in styles]
    for result, whole in zip(translate_streamed(generator, source, styles, slab), expected, strict=True):
        assert result.shape == whole.shape
        assert (result - whole).abs().max() < 1e-5


def test_the_margin_is_wide_enough_for_every_preset():
    for config, _ in PRESETS.values():
        assert max(k // 2 * block for k, block in zip(config.outer_kernel, config.pixel_block, strict=True)) <= MARGIN


@pytest.mark.parametrize("name", ["two equal stages", "skip"])
def test_a_volume_on_the_cpu_passes_through_a_cuda_device_in_slabs(name):
    with fake_cuda():
        with torch.device("cuda"):
            generator = Generator(CONFIGS[name]).eval()
        source, styles = torch.rand(1, 1, 24, 16, 8, device="cpu"), torch.rand(1, 256, device="cpu")
        (result,) = translate_streamed(generator, source, styles, 8)
        assert result.device.type == "cpu"
        (result,) = translate_streamed(generator, source.cuda(), styles, 8)
        assert result.device.type == "cuda"
