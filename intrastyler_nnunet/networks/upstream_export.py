"""A generator of this project as weights that the paper's released code loads (`latest_net_G.pth`)."""

import io
from pathlib import Path

import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.released_weights import blur_filter

SEGMENTATION_CLASSES = 4  # of the released code's auxiliary head
PLACES = {"conv": 1, "din": 2}  # in a stage of the decoder
RELEASED = GeneratorConfig()  # what the released architecture fixes


def export_upstream(generator: Generator, path: Path | str) -> None:
    """Write the state dict of the released generator.

    The blur kernels are part of such a file, so a generator with either blur keeps its output. The released code's
    auxiliary segmentation head, which the translation does not use, is written as zeros. What the file cannot hold
    (spacing, normalisation, the label hint) is lost.

    Raises:
        InputError: the generator's architecture is not the released code's.
    """
    _check(generator)
    state = _renamed(generator) | _blurs(generator.config) | _segmentation_head(generator.config)
    with written_atomically(path) as temporary:
        content = io.BytesIO()
        torch.save(state, content)  # to a file, it would report a full disk as some RuntimeError
        temporary.write_bytes(content.getvalue())


def _check(generator: Generator) -> None:
    config = generator.config
    fixed = ("strides", "outer_kernel", "pixel_block", "skip")
    wrong = [f"{name} {getattr(config, name)}" for name in fixed if getattr(config, name) != getattr(RELEASED, name)]
    if not config.style_width:
        wrong.append(f"method {generator.metadata.method}")
    if wrong:
        raise InputError(
            f"generator with {', '.join(wrong)}: the released code has no such network, expected one of the presets "
            "reference or mini, trained with method intrastyler"
        )


def _renamed(generator: Generator) -> dict[str, torch.Tensor]:
    """Inverse of `upstream.RENAMES`."""
    blocks = len(generator.content_encoder.layers) - generator.config.residual_blocks
    renamed = {}
    for name, tensor in generator.state_dict().items():
        part, *rest = name.split(".")
        if part == "content_encoder":
            number = int(rest[1])
            body = ["conv_block", *rest[3:]] if number >= blocks else rest[2:]
            new = ["encoder", str(number), *body]
        elif part == "decoder":
            # Blur, convolution, DIN and activation of each stage count as one, and so does the last padding.
            place, rest = (9, rest[1:]) if rest[0] == "to_image" else (PLACES[rest[2]] + 4 * int(rest[1]), rest[3:])
            new = ["syn_head", "syn_head", str(place), *rest]
        else:
            place = ["4"] if rest[0] == "to_style" else [str(int(rest[1]) // 4), "conv"]
            new = ["style_encoder", "model", *place, rest[-1]]
        renamed[".".join(new)] = tensor.detach().cpu().clone()
    return renamed


def _blurs(config: GeneratorConfig) -> dict[str, torch.Tensor]:
    width, released = config.width, config.released_blur
    down = {f"encoder.{layer}.filt": (channels, "down") for layer, channels in ((7, 2 * width), (11, 4 * width))}
    up = {
        f"{head}.{head}.{layer}.filt": (channels, "up")
        for head in ("syn_head", "seg_head") for layer, channels in ((0, 4 * width), (4, 2 * width))
    }  # fmt: skip
    return {
        name: blur_filter(kind, released).repeat(channels, 1, 1, 1, 1) for name, (channels, kind) in (down | up).items()
    }


def _segmentation_head(config: GeneratorConfig) -> dict[str, torch.Tensor]:
    width = config.width
    shapes = {1: (2 * width, 4 * width), 5: (width, 2 * width), 8: (SEGMENTATION_CLASSES, width)}
    head = {}
    for layer, shape in shapes.items():
        head[f"seg_head.seg_head.{layer}.weight"] = torch.zeros(*shape, 3, 3, 3)
        head[f"seg_head.seg_head.{layer}.bias"] = torch.zeros(shape[0])
    return head
