"""Blocks of voxels as channels."""

import pytest
import torch

from intrastyler_nnunet.networks.pixel_blocks import ChannelsToVoxels, VoxelsToChannels


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
