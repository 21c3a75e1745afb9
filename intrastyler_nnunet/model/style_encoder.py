"""The style encoder E_S: a patch of an image to a unit vector (paper section 2.2)."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from intrastyler_nnunet.model.layers import InstanceNorm, ReflectionPad
from intrastyler_nnunet.model.recomputation import RecomputedInParts


class StyleEncoder(RecomputedInParts):
    """7x7x7 convolution, two strided 4x4x4 convolutions, global average, linear map to K, L2-normalised."""

    def __init__(self, width: int, style_dim: int):
        super().__init__()
        self.layers = nn.Sequential(
            ReflectionPad((7, 7, 7)), nn.Conv3d(1, width, 7), InstanceNorm(), nn.ReLU(),
            ReflectionPad((4, 4, 4)), nn.Conv3d(width, 2 * width, 4, stride=2), InstanceNorm(), nn.ReLU(),
            ReflectionPad((4, 4, 4)), nn.Conv3d(2 * width, 4 * width, 4, stride=2), InstanceNorm(), nn.ReLU(),
        )  # fmt: skip
        self.to_style = nn.Conv3d(4 * width, style_dim, kernel_size=1)

    def forward(self, x: torch.Tensor, fixed: bool = False) -> torch.Tensor:
        """(B, 1, X, Y, Z) in [-1, 1] -> (B, K) unit vectors, float32; `fixed`: gradients reach x, but not the weights.

        A fixed encoder is a judge, which does not learn to be pleased.
        """
        # Styles that differ by a hundredth must be told apart at a temperature of 0.01: too little for half precision.
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            for start in range(0, len(self.layers), 4):
                x = self.recomputed(self._stage, x, start, fixed)
            pooled = x.mean(dim=(2, 3, 4), keepdim=True)
            return F.normalize(_convolved(self.to_style, pooled, fixed).flatten(1), dim=1)

    def _stage(self, x: torch.Tensor, start: int, fixed: bool) -> torch.Tensor:
        """Padding, convolution, norm and activation."""
        pad, convolution, norm, activation = (self.layers[start + index] for index in range(4))
        return activation(norm(_convolved(convolution, pad(x), fixed)))


def _convolved(convolution: nn.Module, x: torch.Tensor, fixed: bool) -> torch.Tensor:
    if not fixed:
        return convolution(x)
    weights = {name: weight.detach() for name, weight in convolution.named_parameters()}
    return functional_call(convolution, weights, (x,))
