"""Blur-sampling as slices, against the dense depthwise convolution it stands for."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from intrastyler_nnunet.model.layers import BlurDown, BlurUp


def dense_kernel(taps: list[float], released: bool) -> torch.Tensor:
    """a_i a_j a_k, or the released a_i a_j a_k^2, normalised to sum 1."""
    a = np.array(taps)
    kernel = np.einsum("i,j,k->ijk", a, a, a**2 if released else a)
    return torch.from_numpy(kernel / kernel.sum())[None, None]


@pytest.mark.parametrize("released", [False, True])
def test_down_is_a_strided_convolution(released):
    x = torch.randn(2, 1, 9, 8, 6, dtype=torch.float64)
    expected = F.conv3d(F.pad(x, (1,) * 6, mode="reflect"), dense_kernel([1, 2, 1], released), stride=2)
    torch.testing.assert_close(BlurDown((2, 2, 2), released)(x), expected)


@pytest.mark.parametrize("released", [False, True])
def test_up_is_a_transposed_convolution(released):
    x = torch.randn(2, 1, 5, 4, 3, dtype=torch.float64)
    gain = 4 if released else 8
    kernel = dense_kernel([1, 3, 3, 1], released) * gain
    full = F.conv_transpose3d(F.pad(x, (1,) * 6, mode="replicate"), kernel, stride=2, padding=2)
    torch.testing.assert_close(BlurUp((2, 2, 2), released)(x), full[..., 1:-1, 1:-1, 1:-1])


def test_a_stride_of_one_leaves_its_axis_alone():
    x = torch.randn(1, 2, 8, 8, 4)
    planes = torch.stack([BlurDown((2, 2, 1))(x[..., k : k + 1])[..., 0] for k in range(4)], dim=-1)
    torch.testing.assert_close(BlurDown((2, 2, 1))(x), planes)
    constant = torch.full((1, 1, 4, 4, 4), 3.0)
    torch.testing.assert_close(BlurUp((2, 2, 1))(constant), torch.full((1, 1, 8, 8, 4), 3.0))
