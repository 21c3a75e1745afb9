"""Instance normalisation without learnt affine part, and its style-conditioned form, DIN (paper section 2.3)."""

import torch
import torch.nn.functional as F
from torch import nn

EPSILON = 1e-5


class InstanceNorm(nn.Module):
    """IN(x) per sample and channel, eps 1e-5, in float32 whatever the autocast precision."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, *spatial) -> the same shape and dtype."""
        with torch.autocast(x.device.type, enabled=False):
            return F.instance_norm(x.float(), eps=EPSILON).to(x.dtype)


class DynamicInstanceNorm(nn.Module):
    """DIN(x, v) = gamma(v) * IN(x) + beta(v); gamma and beta from one 1x1x1 convolution of the style vector."""

    def __init__(self, style_dim: int, channels: int):
        super().__init__()
        self.norm = InstanceNorm()
        self.controller = nn.Conv3d(style_dim, 2 * channels, kernel_size=1)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """(B, C, X, Y, Z) features and (B, K) style vectors -> (B, C, X, Y, Z)."""
        gamma, beta = self.controller(style[..., None, None, None]).chunk(2, dim=1)
        return torch.addcmul(beta, gamma, self.norm(x))
