"""PatchNCE: the same place in input and output must be recognisable among other places (paper section 2.1).

The places are random ones, or in some layers those whose attention is most focused (QS-Attn; Hu et al., CVPR 2022; used
by the paper's released code in the residual blocks): every place attends to all places of the input's feature map;
places with low entropy of attention lie on distinctive structures and become the queries, and their attention also
mixes the features that are compared.
"""

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
        return config.input_channels
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


ATTENTION_BUDGET = 2**24  # entries of an attention matrix held at once: 64 MB in float32


def sample_places(features: list[torch.Tensor], count: int) -> list[torch.Tensor]:
    """At most `count` random voxel indices per layer, (B, P) each; drawn on the device."""
    return [
        torch.stack([torch.randperm(image[0].numel(), device=feature.device)[:count] for image in feature])
        for feature in features
    ]


def attention_rows(feature: torch.Tensor, count: int) -> torch.Tensor:
    """Rows (B, P, V) of softmax(F^T F) with the lowest entropy, for the P = `count` most focused of V places.

    `feature` is (B, C, X, Y, Z); no gradient flows through the selection. Rows are computed in blocks of at most
    `ATTENTION_BUDGET` entries, so memory does not grow with V^2.
    """
    keys = feature.detach().flatten(2).transpose(1, 2)  # (B, V, C)
    batch, voxels, _ = keys.shape
    block = max(1, ATTENTION_BUDGET // (batch * voxels))
    entropy = torch.cat([_entropy(_attention(rows, keys)) for rows in keys.split(block, dim=1)], dim=1)
    chosen = entropy.argsort(dim=1)[:, : min(count, voxels)]
    return _attention(keys.gather(1, chosen[..., None].expand(-1, -1, keys.shape[2])), keys)


def gather_places(features: list[torch.Tensor], selection: list[torch.Tensor]) -> list[torch.Tensor]:
    """Per layer (B, C, X, Y, Z) features -> (B, P, C), picked by indices (B, P) or mixed by attention (B, P, V)."""
    gathered = []
    for feature, places in zip(features, selection, strict=True):
        values = feature.flatten(2).transpose(1, 2)
        if places.is_floating_point():
            gathered.append(places.to(values.dtype) @ values)
        else:
            gathered.append(values.gather(1, places[..., None].expand(-1, -1, values.shape[2])))
    return gathered


def _attention(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    return torch.softmax(queries @ keys.transpose(1, 2), dim=2, dtype=torch.float32)


def _entropy(attention: torch.Tensor) -> torch.Tensor:
    return -torch.special.xlogy(attention, attention).sum(dim=2)
