"""The style encoder E_S: a patch of an image to a unit vector (paper section 2.2)."""

import torch
import torch.nn.functional as F
from torch import nn

from intrastyler_nnunet.model.layers import InstanceNorm


class StyleEncoder(nn.Module):
    """7x7x7 convolution, two strided 4x4x4 convolutions, global average, linear map to K, L2-normalised."""

    def __init__(self, width: int, style_dim: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad3d(3), nn.Conv3d(1, width, 7), InstanceNorm(), nn.ReLU(),
            nn.ReflectionPad3d(1), nn.Conv3d(width, 2 * width, 4, stride=2), InstanceNorm(), nn.ReLU(),
            nn.ReflectionPad3d(1), nn.Conv3d(2 * width, 4 * width, 4, stride=2), InstanceNorm(), nn.ReLU(),
        )  # fmt: skip
        self.to_style = nn.Conv3d(4 * width, style_dim, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1] -> (B, K) unit vectors, float32."""
        # Styles that differ by a hundredth must be told apart at a temperature of 0.01: too little for half precision.
        with torch.autocast(x.device.type, enabled=False):
            pooled = self.layers(x.float()).mean(dim=(2, 3, 4), keepdim=True)
            return F.normalize(self.to_style(pooled).flatten(1), dim=1)
