"""Which places of a feature map PatchNCE compares: random ones, or those whose attention is most focused (QS-Attn).

QS-Attn (Hu et al., CVPR 2022; used by the paper's released code): every place attends to all places of the input's
feature map; places with low entropy of attention lie on distinctive structures and become the queries, and their
attention also mixes the features that are compared.
"""

import torch

ATTENTION_BUDGET = 2**24  # entries of an attention matrix held at once: 64 MB in float32


def sample_places(features: list[torch.Tensor], count: int) -> list[torch.Tensor]:
    """At most `count` random voxel indices per layer, (P,) each, shared by the batch; drawn on the device."""
    return [torch.randperm(f[0, 0].numel(), device=f.device)[:count] for f in features]


def select_by_attention(features: list[torch.Tensor], count: int, deep: tuple[bool, ...]) -> list[torch.Tensor]:
    """Per layer random indices (P,), or for deep layers attention rows (B, P, V) of the P most focused places.

    Args:
        features: per layer (B, C, X, Y, Z) features of the input; no gradient flows through the selection.
        count: P, at most the number of voxels V.
        deep: per layer whether it is selected by attention; the released code leaves the first two to chance.
    """
    places = sample_places(features, count)
    return [
        attention_rows(feature.detach(), count) if is_deep else place
        for feature, place, is_deep in zip(features, places, deep, strict=True)
    ]


def attention_rows(feature: torch.Tensor, count: int) -> torch.Tensor:
    """Rows (B, P, V) of softmax(F^T F) with the lowest entropy, most focused first.

    Rows are computed in blocks of at most `ATTENTION_BUDGET` entries, so memory does not grow with V^2.
    """
    keys = feature.flatten(2).transpose(1, 2).float()  # (B, V, C)
    batch, voxels, _ = keys.shape
    block = max(1, ATTENTION_BUDGET // (batch * voxels))
    entropy = torch.cat([_entropy(_attention(rows, keys)) for rows in keys.split(block, dim=1)], dim=1)
    chosen = entropy.argsort(dim=1)[:, : min(count, voxels)]
    return _attention(keys.gather(1, chosen[..., None].expand(-1, -1, keys.shape[2])), keys)


def gather_places(features: list[torch.Tensor], selection: list[torch.Tensor]) -> list[torch.Tensor]:
    """Per layer (B, C, X, Y, Z) features -> (B, P, C), picked by indices (P,) or mixed by attention (B, P, V)."""
    gathered = []
    for feature, places in zip(features, selection, strict=True):
        values = feature.flatten(2).transpose(1, 2)
        gathered.append(values[:, places] if places.ndim == 1 else places.to(values.dtype) @ values)
    return gathered


def _attention(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    with torch.autocast(queries.device.type, enabled=False):
        return torch.softmax(queries @ keys.transpose(1, 2), dim=2)


def _entropy(attention: torch.Tensor) -> torch.Tensor:
    return -torch.special.xlogy(attention, attention).sum(dim=2)
