"""The intensity window and its map, there and back."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from intrastyler_nnunet.translation.windows import from_generator_space, intensity_window, to_generator_space


def test_window_is_minimum_and_999th_permille():
    volume = np.random.default_rng(0).permutation(np.arange(1001.0)).reshape(7, 11, 13)
    np.testing.assert_allclose(intensity_window(volume), (0.0, 999.0))


@given(st.integers(0, 1000), st.floats(-5, 0), st.floats(0.1, 20))
def test_round_trip_inside_the_window(seed, lo, width):
    window = torch.tensor([[lo, lo + width]])
    z = lo + width * torch.rand(1, 1, 4, 4, 4, generator=torch.Generator().manual_seed(seed))
    generator_space = to_generator_space(z, window)
    assert generator_space.abs().max() <= 1
    torch.testing.assert_close(from_generator_space(generator_space, window), z, atol=1e-4, rtol=1e-4)


def test_each_sample_has_its_own_window_and_outliers_are_clipped():
    z = torch.tensor([[-1.0, 0.0, 9.0], [-1.0, 0.0, 9.0]]).reshape(2, 1, 3, 1, 1)
    mapped = to_generator_space(z, torch.tensor([[-1.0, 1.0], [0.0, 18.0]]))
    expected = torch.tensor([[-1.0, 0.0, 1.0], [-1.0, -1.0, 0.0]]).reshape(2, 1, 3, 1, 1)
    torch.testing.assert_close(mapped, expected)
