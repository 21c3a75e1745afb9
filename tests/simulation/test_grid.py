"""Smooth fields against SciPy's splines, block means against PyTorch's pooling."""

import numpy as np
import torch
from scipy.interpolate import BSpline

from intrastyler_nnunet.simulation.grid import Grid, block_mean, cubic_spline_weights, smooth_field


def test_spline_weights_agree_with_scipy():
    positions = np.linspace(2.0, 6.99, 50)
    for knot in range(10):
        basis = BSpline.basis_element(np.arange(knot - 2, knot + 3), extrapolate=False)
        expected = np.nan_to_num(basis(positions))
        np.testing.assert_allclose(cubic_spline_weights(positions, 10)[:, knot], expected, atol=1e-6)


def test_two_grids_see_the_same_field():
    coarse = Grid((9, 7, 5), (6.0, 6.0, 6.0))
    fine = Grid((17, 13, 9), (3.0, 3.0, 3.0))
    of_coarse, of_fine = (smooth_field(grid, 20.0, (3, 1)) for grid in (coarse, fine))
    np.testing.assert_allclose(of_fine[::2, ::2, ::2], of_coarse, atol=1e-5)


def test_field_has_zero_mean_and_unit_variance():
    grid = Grid((40, 40, 20), (5.0, 5.0, 5.0))
    values = np.stack([smooth_field(grid, 4.0, (seed,)) for seed in range(3)])
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.02


def test_block_mean_agrees_with_average_pooling():
    volume = np.random.default_rng(0).random((6, 8, 9), dtype=np.float32)
    expected = torch.nn.functional.avg_pool3d(torch.from_numpy(volume)[None], (3, 2, 3))[0].numpy()
    np.testing.assert_allclose(block_mean(volume, (3, 2, 3)), expected, rtol=1e-5)


def test_refined_grid_keeps_the_field_of_view():
    grid = Grid((10, 8, 6), (1.0, 1.0, 1.5))
    fine, factors = grid.refined(0.8)
    assert factors == (2, 2, 2)
    for coarse_axis, fine_axis in zip(grid.axes(), fine.axes(), strict=True):
        np.testing.assert_allclose(fine_axis.reshape(-1, 2).mean(1), coarse_axis)
