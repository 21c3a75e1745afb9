"""The image convolution against PyTorch's own, forward and backward."""

import pytest
import torch
from torch import nn

from intrastyler_nnunet.networks.image_convolution import ImageConv3d


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
