"""Spherical linear interpolation of style vectors (paper equation 3)."""

import torch


def slerp(start: torch.Tensor, end: torch.Tensor, t: torch.Tensor | float) -> torch.Tensor:
    """sin((1-t) theta)/sin(theta) * start + sin(t theta)/sin(theta) * end, theta the angle between them.

    Vectors closer than 1e-6 give `start`; for antipodal ones, where the great circle is not unique, the path goes
    through a fixed direction orthogonal to `start`.

    Args:
        start, end: (B, K) unit vectors.
        t: in [0, 1], a number or (B,).

    Returns:
        (B, K) unit vectors.
    """
    t = torch.as_tensor(t, dtype=start.dtype, device=start.device).reshape(-1, 1)
    cosine = (start * end).sum(dim=1, keepdim=True).clamp(-1, 1)
    # The direction at `start` that leads to `end`; only its zero length (parallel, antipodal) needs a substitute.
    tangent = end - cosine * start
    length = tangent.norm(dim=1, keepdim=True)
    tangent = torch.where(length > 1e-6, tangent, _orthogonal(start))
    tangent = torch.nn.functional.normalize(tangent, dim=1)
    # atan2 keeps its precision where acos loses it, near 0 and pi.
    angle = torch.atan2(torch.where(length > 1e-6, length, torch.zeros_like(length)), cosine) * t
    return torch.nn.functional.normalize(torch.cos(angle) * start + torch.sin(angle) * tangent, dim=1)


def _orthogonal(vectors: torch.Tensor) -> torch.Tensor:
    """A direction orthogonal to each vector: its least-aligned axis, made orthogonal."""
    axis = torch.nn.functional.one_hot(vectors.abs().argmin(dim=1), vectors.shape[1]).to(vectors.dtype)
    return axis - (axis * vectors).sum(dim=1, keepdim=True) * vectors
