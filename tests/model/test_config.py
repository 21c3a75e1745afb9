"""The smallest image that an architecture's layers take, against the layers."""

from dataclasses import replace

import pytest
import torch

from intrastyler_nnunet.model.config import PRESETS, GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.translation.streaming import translate_streamed

NARROW = {"width": 2, "style_width": 2, "style_dim": 4, "residual_blocks": 1}
CONFIGS = {
    **{name: replace(config, **NARROW) for name, (config, _) in PRESETS.items()},
    "deep": GeneratorConfig(**NARROW, strides=((2, 2, 1), (2, 2, 2), (2, 2, 2))),
}


LARGE = 24  # voxels along the other axes


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("name", CONFIGS)
def test_the_least_extent_passes_through_all_layers_and_a_smaller_one_does_not(name, axis):
    config = CONFIGS[name]
    generator, style = Generator(config).eval(), torch.randn(1, 4)
    least = config.smallest_image[axis]
    image = torch.rand(1, 1, LARGE, LARGE, LARGE).narrow(2 + axis, 0, least)
    smaller = image.narrow(2 + axis, 0, least - 1)
    with torch.no_grad():
        assert generator(image, style).shape == image.shape
        assert next(translate_streamed(generator, image, style, 64)).shape == image.shape
        assert generator.encode_style(image).shape == (1, 4)
        with pytest.raises(RuntimeError, match=r"[Pp]adding"):
            generator(smaller, style), generator.encode_style(smaller)
