"""Gradients are averaged over ranks, whatever layout they lie in."""

import torch
from torch import distributed, nn
from torch.testing._internal.distributed.fake_pg import FakeStore

from intrastyler_nnunet.pretraining.ranks import Ranks, average_gradients


def test_channels_last_gradients_keep_their_values_and_layout():
    layers = nn.ModuleList([nn.Conv3d(3, 4, 3), nn.Linear(5, 2)])
    layers[0].weight.data = layers[0].weight.data.to(memory_format=torch.channels_last_3d)
    expected = []
    for parameter in layers.parameters():
        parameter.grad = torch.randn_like(parameter)
        expected.append(parameter.grad.clone() / 2)
    assert not layers[0].weight.grad.is_contiguous()
    # A group whose sum over ranks is the first rank's own value: so the mean over two is half of it.
    distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    try:
        average_gradients(layers.parameters(), Ranks(0, 2))
    finally:
        distributed.destroy_process_group()
    for parameter, half in zip(layers.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, half, rtol=0, atol=0)
    assert layers[0].weight.grad.is_contiguous(memory_format=torch.channels_last_3d)
