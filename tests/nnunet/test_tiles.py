"""Tiling must not change a translation that acts on each voxel alone."""
import torch

from intrastyler_nnunet.nnunet.tiles import translate_in_tiles


def record(images, windows):
    def translate(window):
        windows.append(window)
        return torch.exp(images[window])

    return translate


def test_small_volumes_are_translated_whole():
    images, windows = torch.randn(1, 1, 10, 12, 14), []
    result = translate_in_tiles(record(images, windows), images, (10, 12, 4))
    assert len(windows) == 1
    assert torch.equal(result, torch.exp(images))


def test_large_volumes_are_covered_by_tiles_of_patch_size():
    images, windows = torch.randn(1, 2, 10, 37, 41), []
    result = translate_in_tiles(record(images, windows), images, (12, 16, 16))
    assert len(windows) > 1
    assert {images[window].shape for window in windows} == {(1, 2, 10, 16, 16)}
    torch.testing.assert_close(result, torch.exp(images))
