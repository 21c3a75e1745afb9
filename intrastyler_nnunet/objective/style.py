"""The two style losses of IntraStyler."""

import torch
import torch.nn.functional as F


def style_contrast(
    query: torch.Tensor, positive: torch.Tensor, negatives: torch.Tensor, temperature: float = 0.01
) -> torch.Tensor:
    """Paper equation 1: pick the positive among positive and perturbed copies of it.

    -log( exp(v.v+ / tau) / (exp(v.v+ / tau) + sum_i exp(v.v_i- / tau)) ). Nothing is detached: E_S learns from it.

    Args:
        query, positive: (B, K) unit vectors of two patches of one exemplar.
        negatives: (B, N, K) unit vectors of the positive patch under N intensity perturbations.
        temperature: tau.
    """
    candidates = torch.cat([positive[:, None], negatives], dim=1)
    logits = (candidates * query[:, None]).sum(dim=2).float() / temperature
    return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.long, device=query.device))


def style_consistency(output_style: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """Paper equation 2: minus the cosine between E_S(G(x, v)) and v, both (B, K) unit vectors."""
    return -(output_style * style).sum(dim=1).mean()
