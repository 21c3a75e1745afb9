"""The generator G: source image + style vector -> target image, with its style encoder and its file format."""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.content_encoder import ContentEncoder
from intrastyler_nnunet.model.decoder import Decoder
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.model.style_encoder import StyleEncoder


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

    def encode_style(self, exemplar: torch.Tensor) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1] -> style vectors (B, K) of unit length."""
        return self.style_encoder(exemplar)

    def forward(self, source: torch.Tensor, style: torch.Tensor, inside: torch.Tensor | None = None) -> torch.Tensor:
        """Translate images to styles.

        Args:
            source: (B, 1, X, Y, Z) in [-1, 1], any size of at least 8 voxels an axis.
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
        padded = self.pad_to_stride(source)
        levels = None if inside is None else self.content_encoder.levels(self.pad_to_stride(inside.float()) > 0.5)
        content, features = self.content_encoder(padded, feature_layers, inside=levels)
        x, y, z = source.shape[2:]
        return self.decoder(content, style, padded, levels)[..., :x, :y, :z], features

    def content_features(self, image: torch.Tensor, feature_layers: tuple[int, ...]) -> list[torch.Tensor]:
        """The content encoder's features of `image` at `feature_layers`."""
        return self.content_encoder(self.pad_to_stride(image), feature_layers, last=max(feature_layers))[1]

    def pad_to_stride(self, image: torch.Tensor) -> torch.Tensor:
        """Replicate the far borders until each axis is a multiple of the total down-sampling."""
        padding: list[int] = []
        for axis in (2, 1, 0):
            padding += [0, -image.shape[2 + axis] % self.config.stride[axis]]
        return F.pad(image, padding, mode="replicate") if any(padding) else image

    def save(self, path: Path | str) -> None:
        """Write weights, architecture and metadata to one safetensors file."""
        header = {"config": json.dumps(self.config.to_dict()), "metadata": json.dumps(self.metadata.to_dict())}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        with written_atomically(path) as temporary:
            temporary.write_bytes(save(tensors, metadata=header))  # save_file would make it readable to its owner only

    @classmethod
    def load(cls, path: Path | str, device: torch.device | str = "cpu") -> "Generator":
        """Read a generator written by `save`; InputError if `path` is not one."""
        expected = "expected a generator.safetensors written by intrastyler"
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file, {expected}")
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            generator = cls(
                GeneratorConfig.from_dict(json.loads(header["config"])),
                GeneratorMetadata.from_dict(json.loads(header["metadata"])),
            )
            generator.load_state_dict(state)
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{path}: not a generator file ({reason}), {expected}") from None
        return generator.to(device)
