import numpy as np
import pytest

from intrastyler_nnunet.evaluation.surfaces import (
    hausdorff_95,
    interface_points,
    mean_distance,
    nearest_distances,
    share_within,
    surface_points,
)


def test_the_surface_of_a_cube_is_all_but_its_centre():
    mask = np.zeros((7, 7, 7), bool)
    mask[2:5, 2:5, 2:5] = True
    points = surface_points(mask, (1, 2, 4))
    assert len(points) == 26
    assert points.min(axis=0).tolist() == [2, 4, 8]
    assert points.max(axis=0).tolist() == [4, 8, 16]
    assert [3, 6, 12] not in points.tolist()


def test_a_voxel_on_the_image_border_is_surface():
    assert len(surface_points(np.ones((3, 3, 3), bool), (1, 1, 1))) == 26


def test_the_interface_of_two_blocks_is_the_plane_between_them():
    first = np.zeros((4, 2, 2), bool)
    first[:2] = True
    points = interface_points(first, ~first, (3, 1, 0.5))
    expected = [[4.5, 0, 0], [4.5, 0, 0.5], [4.5, 1, 0], [4.5, 1, 0.5]]  # 1.5 voxels of 3 mm
    assert sorted(points.tolist()) == expected


def test_voxels_that_touch_at_an_edge_share_no_face():
    first, second = np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    first[0, 0, 0] = second[0, 1, 1] = True
    assert interface_points(first, second, (1, 1, 1)).shape == (0, 3)


def test_the_two_definitions_differ_for_surfaces_of_different_size():
    one = np.array([[0.0, 0, 0]])
    three = np.array([[0.0, 0, 0], [1, 0, 0], [5, 0, 0]])
    distances = nearest_distances(one, three)
    assert mean_distance(*distances, "pooled") == pytest.approx((0 + 0 + 1 + 5) / 4)
    assert mean_distance(*distances, "directed") == pytest.approx((0 + (0 + 1 + 5) / 3) / 2)
    assert hausdorff_95(*distances) == pytest.approx(1 + 0.9 * (5 - 1))  # of 0, 1, 5
    assert share_within(*distances, 1.0) == 3 / 4


def test_an_unknown_definition_is_refused():
    with pytest.raises(ValueError, match="hausdorff"):
        mean_distance(np.zeros(1), np.zeros(1), "hausdorff")
