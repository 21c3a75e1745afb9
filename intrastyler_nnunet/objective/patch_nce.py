"""PatchNCE: the same place in input and output must be recognisable among other places (paper section 2.1)."""

import torch
import torch.nn.functional as F
from torch import nn

from intrastyler_nnunet.model.config import GeneratorConfig


class PatchProjector(nn.Module):
    """One two-layer perceptron per feature layer, to unit vectors; all built up front, so that DDP sees them."""

    def __init__(self, config: GeneratorConfig, layers: tuple[int, ...], dim: int = 256):
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(layer_channels(config, layer), dim), nn.ReLU(), nn.Linear(dim, dim))
            for layer in layers
        )

    def forward(self, samples: list[torch.Tensor]) -> list[torch.Tensor]:
        """Per layer (B, P, C) features at P places -> (B, P, dim) unit vectors, float32."""
        return [F.normalize(head(sample).float(), dim=2) for head, sample in zip(self.heads, samples, strict=True)]


def layer_channels(config: GeneratorConfig, layer: int) -> int:
    """Channels of the content encoder's output at `layer` (numbering of `ContentEncoder`)."""
    if layer == 0:
        return config.pixel_channels
    stage = (layer - 4) // 4 + 1 if layer >= 4 else 0
    return config.width * 2 ** min(stage, len(config.strides))


def patch_nce(queries: list[torch.Tensor], keys: list[torch.Tensor], temperature: float = 0.07) -> torch.Tensor:
    """Cross entropy of picking, for each query, the key of the same place among the P keys of its image.

    Args:
        queries: per layer (B, P, dim) unit vectors of the output's features.
        keys: the same of the input's features; no gradient flows into them.
        temperature: CUT's 0.07.
    """
    losses = []
    for query, key in zip(queries, keys, strict=True):
        with torch.autocast(query.device.type, enabled=False):
            logits = torch.bmm(query, key.detach().transpose(1, 2)) / temperature
        target = torch.arange(query.shape[1], device=query.device).expand(query.shape[0], -1)
        losses.append(F.cross_entropy(logits.flatten(0, 1), target.flatten()))
    return torch.stack(losses).mean()
