"""Weights of the paper's released code (`latest_net_G.pth`) as a generator of this project."""

import pickle
import re
from pathlib import Path

import numpy as np
import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata

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
IGNORED = re.compile(r".*\.filt$|seg_head\..*")  # fixed blur kernels; the released code's auxiliary segmentation head


def import_upstream(path: Path | str) -> Generator:
    """Build a generator from a state dict of the released code.

    Spacing and normalisation are not in such a file, so the metadata leave them unknown (unchecked). The released
    code's arrays are (B, C, X, Y, Z), which is this project's generator order.

    Raises:
        InputError: not a state dict of the released generator; the message names what is missing or left over.
    """
    state = _read_state_dict(path)
    renamed = {_rename(name, path): tensor for name, tensor in state.items() if not IGNORED.fullmatch(name)}
    generator = Generator(_config(state, path), GeneratorMetadata(training={"imported_from": Path(path).name}))
    try:
        generator.load_state_dict(renamed)
    except RuntimeError as error:
        raise InputError(
            f"{path}: weights do not fit the released architecture: {' '.join(str(error).split())}"
        ) from None
    return generator


def _read_state_dict(path: Path | str) -> dict[str, torch.Tensor]:
    expected = "expected a state dict of the released code (latest_net_G.pth)"
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file, {expected}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({type(error).__name__}), {expected}") from None
    if not isinstance(state, dict) or "encoder.1.weight" not in state:
        raise InputError(f"{path}: has no entry 'encoder.1.weight', {expected}")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _config(state: dict[str, torch.Tensor], path: Path | str) -> GeneratorConfig:
    try:
        return GeneratorConfig(
            width=state["encoder.1.weight"].shape[0],
            residual_blocks=sum(bool(re.fullmatch(r"encoder\.\d+\.conv_block\.1\.weight", name)) for name in state),
            style_dim=state["style_encoder.model.4.weight"].shape[0],
            style_width=state["style_encoder.model.0.conv.weight"].shape[0],
            released_blur=_has_released_blur(state),
        )
    except KeyError as error:
        raise InputError(f"{path}: has no entry {error}, expected the released IntraStyler generator") from None


def blur_filter(kind: str, released: bool) -> torch.Tensor:
    """The kernel (1, 1, n, n, n) of the released code's "down" or "up" blur; `released`: with its slip, see `blur`."""
    taps, gain = {"down": ((1.0, 2.0, 1.0), 1), "up": ((1.0, 3.0, 3.0, 1.0), 2)}[kind]
    taps = torch.tensor(taps)
    last = taps**2 if released else taps
    kernel = taps[:, None, None] * taps[None, :, None] * last[None, None, :]
    # It scales by stride^2, where three dimensions call for stride^3.
    return (kernel / kernel.sum() * gain ** (2 if released else 3))[None, None]


def _has_released_blur(state: dict[str, torch.Tensor]) -> bool:
    """Files of the released code have its slip; those that this project exports say which blur they have."""
    stored = state.get("encoder.7.filt")
    return stored is None or torch.allclose(stored[:1].float(), blur_filter("down", released=True))


def _rename(name: str, path: Path | str) -> str:
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
        arrays = {name: torch.from_numpy(array) for name, array in np.load(path).items()}
        differences = {}
        for suffix in ("", "2") if "exemplar2" in arrays else ("",):
            style = generator.encode_style(arrays["exemplar" + suffix])
            image = generator(arrays["source"], style)
            differences["style" + suffix] = float((style - arrays["style" + suffix]).abs().max())
            differences["translated" + suffix] = float((image - arrays["translated" + suffix]).abs().max())
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be used ({error}), expected npz with source, exemplar, style, translated"
        ) from None
    return differences
