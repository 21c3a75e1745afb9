"""Layers against what they stand for: dense convolutions, PyTorch's norm in double precision."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from intrastyler_nnunet.model.layers import (
    BlurDown,
    BlurUp,
    ChannelsToVoxels,
    ImageConv3d,
    InstanceNorm,
    VoxelsToChannels,
)


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


@pytest.mark.parametrize(("channels", "kernel"), [(1, (7, 7, 7)), (1, (5, 3, 3)), (4, (3, 3, 3))])
def test_equals_pytorchs_convolution(channels, kernel):
    torch.manual_seed(0)
    ours = ImageConv3d(6, channels, kernel).double()
    stock = nn.Conv3d(6, channels, kernel).double()
    stock.load_state_dict(ours.state_dict())
    inputs = [torch.randn(2, 6, 12, 11, 9, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    inputs[1].data = inputs[0].data
    results = [conv(x) for conv, x in zip((ours, stock), inputs, strict=True)]
    torch.testing.assert_close(*results)
    for result in results:
        (result**2).sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    torch.testing.assert_close(ours.weight.grad, stock.weight.grad)
    torch.testing.assert_close(ours.bias.grad, stock.bias.grad)


@pytest.mark.parametrize("block", [(1, 1, 1), (2, 2, 1), (2, 3, 4)])
def test_a_block_becomes_channels_and_comes_back(block):
    x = torch.rand(2, 3, 4, 6, 8)
    folded = VoxelsToChannels(block)(x)
    a, b, c = block
    assert folded.shape == (2, 3 * a * b * c, 4 // a, 6 // b, 8 // c)
    assert torch.equal(ChannelsToVoxels(block)(folded), x)
    # Within the channels of one input channel, the offsets in the block count up, the last axis fastest.
    for i, j, k in [(0, 0, 0), (a - 1, 0, c - 1), (0, b - 1, 0)]:
        channel = 3 * 0 + (i * b + j) * c + k
        assert torch.equal(folded[:, channel], x[:, 0, i::a, j::b, k::c])


def test_in_plane_blocks_are_pytorchs_pixel_shuffle():
    x = torch.rand(2, 8, 4, 6)
    expected = torch.nn.functional.pixel_shuffle(x, 2)
    assert torch.equal(ChannelsToVoxels((2, 2, 1))(x[..., None])[..., 0], expected)


LAYOUTS = (torch.contiguous_format, torch.channels_last_3d)


def normalised(norm, x, gradient):
    """The norm of x, and the gradient of x."""
    x = x.detach().requires_grad_()
    y = norm(x)
    return y.detach(), *torch.autograd.grad(y, x, gradient)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("gradients_layout", LAYOUTS)
@pytest.mark.parametrize("count", [1, 2])
def test_the_norm_and_its_gradient_in_every_layout(dtype, layout, gradients_layout, count):
    """Against double precision; features that vary by a tenth of their mean, and, in float32, by a thousandth."""
    for deviation in (0.1,) if dtype == torch.bfloat16 else (0.1, 1e-3):
        x = (1 + deviation * torch.randn(count, 3, 9, 8, 6)).to(dtype).contiguous(memory_format=layout)
        gradient = torch.randn(x.shape).to(dtype).contiguous(memory_format=gradients_layout)
        found = normalised(InstanceNorm(), x, gradient)
        exact = normalised(lambda x: F.instance_norm(x, eps=1e-5), x.double().contiguous(),
                           gradient.double().contiguous())  # fmt: skip
        for ours, theirs in zip(found, exact, strict=True):
            assert ours.dtype == dtype
            assert ours.is_contiguous(memory_format=layout)
            assert (ours.double() - theirs).norm() / theirs.norm() < (1e-2 if dtype == torch.bfloat16 else 1e-4)


def test_pytorchs_norm_returns_a_wrong_gradient_for_one_image_in_channels_last():
    """Why the norm is ours; when this fails, PyTorch was mended and tests of the released step can say less."""
    x, gradient = torch.randn(1, 3, 9, 8, 6), torch.randn(1, 3, 9, 8, 6)
    exact, found = (normalised(F.instance_norm, x, gradient.contiguous(memory_format=layout))[1] for layout in LAYOUTS)
    assert (found - exact).norm() / exact.norm() > 0.5
