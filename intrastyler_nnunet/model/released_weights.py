"""Weights of the paper's released code (`latest_net_G.pth`) as a generator of this project, and the other way."""

import io
import json
import re
from pathlib import Path

import numpy as np
import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator, check_weights
from intrastyler_nnunet.model.metadata import GeneratorMetadata, LabelHint
from intrastyler_nnunet.model.tensor_file import FLOATS
from intrastyler_nnunet.typed_json import decode_json

# Patterns of the released code's parameter names and ours; what matches none is not part of the generator.
RENAMES = (
    (r"encoder\.(\d+)\.conv_block\.(\d+)\.(.+)", r"content_encoder.layers.\1.body.\2.\3"),
    (r"encoder\.(\d+)\.(weight|bias)", r"content_encoder.layers.\1.\2"),
    (r"syn_head\.syn_head\.1\.(.+)", r"decoder.stages.0.conv.\1"),
    (r"syn_head\.syn_head\.2\.controller\.(.+)", r"decoder.stages.0.din.controller.\1"),
    (r"syn_head\.syn_head\.5\.(.+)", r"decoder.stages.1.conv.\1"),
    (r"syn_head\.syn_head\.6\.controller\.(.+)", r"decoder.stages.1.din.controller.\1"),
    (r"syn_head\.syn_head\.9\.(.+)", r"decoder.to_image.\1"),
    (r"style_encoder\.model\.([012])\.conv\.(.+)", lambda m: f"style_encoder.layers.{4 * int(m[1]) + 1}.{m[2]}"),
    (r"style_encoder\.model\.4\.(.+)", r"style_encoder.to_style.\1"),
)
RELEASED_HINT = LabelHint(inverted=(3,), shifted=(1, 2), mean=-0.5)  # labels of the challenge's 2023 edition
UNUSED = re.compile(r"seg_head\..*")  # the released code's auxiliary segmentation head
IGNORED = re.compile(rf".*\.filt$|{UNUSED.pattern}")  # as are fixed blur kernels


def import_upstream(path: Path | str) -> Generator:
    """Build a generator from a state dict of the released code.

    Spacing and normalisation are not in such a file, so the metadata leave them unknown (unchecked). The label hint is
    not in it either, but the released code applies it whenever it translates. Its arrays are (B, C, X, Y, Z), which is
    this project's generator order.

    Raises:
        InputError: not a state dict of the released generator; the message names what is missing or left over.
    """
    state = _read_state_dict(path)
    weights = {our_name(name, path): tensor for name, tensor in state.items() if not IGNORED.fullmatch(name)}
    config = _config(state, path)
    check_weights(weights, config, path)
    metadata = GeneratorMetadata(label_hint=RELEASED_HINT, training={"imported_from": Path(path).name})
    generator = Generator(config, metadata)
    generator.load_state_dict(weights)
    return generator


def _read_state_dict(path: Path | str) -> dict[str, torch.Tensor]:
    expected = "expected a state dict of the released code (latest_net_G.pth)"
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file, {expected}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged pickle makes torch raise
        raise InputError(f"{path}: cannot be read ({type(error).__name__}), {expected}") from None
    entries = state.items() if isinstance(state, dict) else ()
    state = {str(name).removeprefix("module."): value for name, value in entries}
    if "encoder.1.weight" not in state:
        raise InputError(f"{path}: has no entry 'encoder.1.weight', {expected}")
    for name, value in state.items():
        if not _is_plain(value) and not UNUSED.fullmatch(name):
            raise InputError(f"{path}: entry {name!r} is no tensor of finite numbers, {expected}")
    return state


def _is_plain(value: object) -> bool:
    """Whether a value is a tensor of finite numbers that takes as much of the file as its shape says."""
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.dtype not in FLOATS:
        return False
    stored = value.untyped_storage().nbytes() >= value.nbytes
    return value.ndim > 0 and stored and bool(value.isfinite().all())


def _config(state: dict[str, torch.Tensor], path: Path | str) -> GeneratorConfig:
    try:
        config = GeneratorConfig(
            width=state["encoder.1.weight"].shape[0],
            residual_blocks=sum(bool(re.fullmatch(r"encoder\.\d+\.conv_block\.1\.weight", name)) for name in state),
            style_dim=state["style_encoder.model.4.weight"].shape[0],
            style_width=state["style_encoder.model.0.conv.weight"].shape[0],
            released_blur=_has_released_blur(state, path),
        )
    except KeyError as error:
        raise InputError(f"{path}: has no entry {error}, expected the released IntraStyler generator") from None
    return decode_json(json.dumps(config.to_dict()), GeneratorConfig, str(path), "the released generator")


def blur_filter(kind: str, released: bool) -> torch.Tensor:
    """The kernel (1, 1, n, n, n) of the released code's "down" or "up" blur; `released`: with its slip, see `blur`."""
    values, gain = {"down": ((1.0, 2.0, 1.0), 1), "up": ((1.0, 3.0, 3.0, 1.0), 2)}[kind]
    taps = torch.tensor(values)
    last = taps**2 if released else taps
    kernel = taps[:, None, None] * taps[None, :, None] * last[None, None, :]
    # It scales by stride^2, where three dimensions call for stride^3.
    return (kernel / kernel.sum() * gain ** (2 if released else 3))[None, None]


def _has_released_blur(state: dict[str, torch.Tensor], path: Path | str) -> bool:
    """Files of the released code have its slip; those that this project exports say which blur they have."""
    stored = state.get("encoder.7.filt")
    for released in (True, False):
        kernel = blur_filter("down", released)
        if stored is None or (stored[:1].shape == kernel.shape and torch.allclose(stored[:1].float(), kernel)):
            return released
    raise InputError(f"{path}: entry 'encoder.7.filt' is another blur, expected the released IntraStyler generator")


def our_name(name: str, path: Path | str = "") -> str:
    """What this project calls a parameter of the released generator; InputError, of the file `path`, for others."""
    for pattern, replacement in RENAMES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, replacement, name)
    raise InputError(f"{path}: entry {name!r} is not known, expected the released IntraStyler generator")


@torch.no_grad()
def compare_with_reference(generator: Generator, path: Path | str) -> dict[str, float]:
    """Largest absolute differences to what the released network gave.

    Args:
        generator: an imported generator.
        path: npz with `source`, `exemplar`, `style`, `translated`, and the last three again with the suffix 2.

    Raises:
        InputError: the file is missing, or lacks one of the arrays.
    """
    try:
        with np.load(path) as file:
            arrays = {name: torch.from_numpy(array) for name, array in file.items()}
        differences = {}
        for suffix in ("", "2") if "exemplar2" in arrays else ("",):
            style = generator.encode_style(arrays["exemplar" + suffix])
            image = generator(arrays["source"], style)
            differences["style" + suffix] = float((style - arrays["style" + suffix]).abs().max())
            differences["translated" + suffix] = float((image - arrays["translated" + suffix]).abs().max())
    except Exception as error:  # of NumPy about the file, of torch about the arrays
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{path}: cannot be used ({reason}), expected npz with source, exemplar, style, translated"
        ) from None
    return differences


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
            layer = ["4"] if rest[0] == "to_style" else [str(int(rest[1]) // 4), "conv"]
            new = ["style_encoder", "model", *layer, rest[-1]]
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
