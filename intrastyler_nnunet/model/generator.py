"""The generator G: source image + style vector -> target image, with its style encoder and its file format."""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.content_encoder import ContentEncoder
from intrastyler_nnunet.model.decoder import Decoder
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.model.style_encoder import StyleEncoder
from intrastyler_nnunet.model.tensor_file import load_tensors, save_tensors
from intrastyler_nnunet.typed_json import decode_json


class Generator(nn.Module):
    """Content encoder + style-conditioned decoder, and the style encoder that feeds it (paper sections 2.2, 2.3).

    Images are (B, 1, X, Y, Z) in [-1, 1], the through-plane axis last.
    """

    def __init__(self, config: GeneratorConfig, metadata: GeneratorMetadata | None = None):
        super().__init__()
        self.config = config
        self.metadata = metadata or GeneratorMetadata()
        self.content_encoder = ContentEncoder(config)
        self.decoder = Decoder(config)
        self.style_encoder = StyleEncoder(config.style_width, config.style_dim) if config.style_width else None

    def encode_style(self, exemplar: torch.Tensor, fixed: bool = False) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1] -> style vectors (B, K) of unit length; `fixed`: see `StyleEncoder.forward`."""
        assert self.style_encoder is not None, "a generator whose styles are codes encodes none"
        return self.style_encoder(exemplar, fixed)

    def forward(self, source: torch.Tensor, style: torch.Tensor, inside: torch.Tensor | None = None) -> torch.Tensor:
        """Translate images to styles.

        Args:
            source: (B, 1, X, Y, Z) in [-1, 1], any size of at least 8 voxels an axis; label channels may follow.
            style: (B, K) unit vectors.
            inside: (B, 1, X, Y, Z), bool: which voxels are image (see `borders`); None: all.

        Returns:
            (B, 1, X, Y, Z) in [-1, 1]; without meaning outside.
        """
        return self.translate(source, style, (), inside)[0]

    def translate(
        self,
        source: torch.Tensor,
        style: torch.Tensor,
        feature_layers: tuple[int, ...],
        inside: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """`forward`, which also returns the content encoder's features of `source` at `feature_layers`."""
        padded = self.pad_to_stride(self.with_label_channels(source))
        levels = None if inside is None else self.content_encoder.levels(self.pad_to_stride(inside.float()) > 0.5)
        content, features = self.content_encoder(padded, feature_layers, inside=levels)
        x, y, z = source.shape[2:]
        return self.decoder(content, style, padded, levels)[..., :x, :y, :z], features

    def content_features(self, image: torch.Tensor, feature_layers: tuple[int, ...]) -> list[torch.Tensor]:
        """The content encoder's features of `image` at `feature_layers`."""
        padded = self.pad_to_stride(self.with_label_channels(image))
        return self.content_encoder(padded, feature_layers, last=max(feature_layers))[1]

    def with_label_channels(self, image: torch.Tensor) -> torch.Tensor:
        """An image (B, 1, X, Y, Z) without labels, or with them, as the generator takes it: (B, 1 + L, X, Y, Z)."""
        missing = 1 + self.config.label_channels - image.shape[1]
        return F.pad(image, (0,) * 7 + (missing,)) if missing else image

    def pad_to_stride(self, image: torch.Tensor) -> torch.Tensor:
        """Replicate the far borders until each axis is a multiple of the total down-sampling."""
        padding: list[int] = []
        for axis in (2, 1, 0):
            padding += [0, -image.shape[2 + axis] % self.config.stride[axis]]
        return F.pad(image, padding, mode="replicate") if any(padding) else image

    def save(self, path: Path | str) -> None:
        """Write weights, architecture and metadata to one safetensors file."""
        header = {"config": json.dumps(self.config.to_dict()), "metadata": json.dumps(self.metadata.to_dict())}
        save_tensors(path, self.state_dict(), header)

    @classmethod
    def load(cls, path: Path | str, device: torch.device | str = "cpu") -> "Generator":
        """Read a generator written by `save`; InputError if `path` is not one, or damaged."""
        expected = "a generator.safetensors written by intrastyler"
        state, header = load_tensors(path, {"config", "metadata"}, expected)
        config = decode_json(header["config"], GeneratorConfig, f"{path}: config", expected)
        metadata = decode_json(header["metadata"], GeneratorMetadata, f"{path}: metadata", expected)
        for case, code in metadata.codes.items():
            if len(code) != config.style_dim:
                raise InputError(f"{path}: the code of {case} has {len(code)} values, expected {config.style_dim}")
        check_weights(state, config, path)
        generator = cls(config, metadata)
        generator.load_state_dict(state)
        return generator.to(device)


def check_weights(state: dict[str, torch.Tensor], config: GeneratorConfig, path: Path | str) -> None:
    """Raise InputError unless `state`, read from `path`, has the weights of this architecture.

    Nothing is allocated, so that an absurd architecture is refused before it takes memory.
    """
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in Generator(config).state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for name in (*expected, *found):
        if found.get(name) != expected.get(name):
            shapes = (f"of shape {shapes[name]}" if name in shapes else "none" for shapes in (found, expected))
            raise InputError("{}: found {!r} {}, expected {}".format(path, name, *shapes))
