"""The loop that trains small U-Nets learns, and what it draws."""

import numpy as np
import torch

from benchmarks.quality.segmenter_training import _batch, fit, segmented, small_unet


def bright_boxes(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    images = []
    for _ in range(count):
        labels = np.zeros((32, 16, 8), np.int16)
        x, y, z = (int(rng.integers(n - 6)) for n in (32, 16, 8))
        labels[x : x + 10, y : y + 6, z : z + 5] = 1
        images.append((rng.normal(0, 0.3, labels.shape) + 3 * labels, labels))
    return images


def test_it_finds_what_is_bright():
    images = bright_boxes(6)
    torch.manual_seed(0)
    network = small_unet(2, 4)
    fit(network, images[:4], 60, seed=0, class_weights=(1.0, 1.0))
    for volume, labels in images[4:]:
        found = segmented(network.eval(), volume) == 1
        assert 2 * (found & (labels == 1)).sum() / (found.sum() + labels.sum()) > 0.8


def test_a_batch_is_a_mirrored_part_whose_contrast_changed_a_little():
    volume = np.arange(32 * 16 * 8, dtype=float).reshape(32, 16, 8)
    starts, sides = set(), set()
    rng = np.random.default_rng(0)
    for _ in range(60):
        volumes, labels = _batch(rng, [(volume, volume.astype(np.int16))], columns=16)
        assert volumes.shape == labels.shape == (2, 1, 8, 16, 16)
        for made, classes in zip(volumes[:, 0].numpy(), labels[:, 0].numpy(), strict=True):
            factor = np.ptp(made) / np.ptp(classes)
            assert 0.85 <= factor <= 1.15
            np.testing.assert_allclose(made - factor * classes, (made - factor * classes).mean(), atol=0.01)
            columns = classes[0, 0]
            starts.add(int(columns.min()) // 128)
            sides.add(bool(columns[0] < columns[-1]))
    assert sides == {True, False}
    assert starts == set(range(17))
