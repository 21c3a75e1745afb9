"""Labels through crop, resampling and back, for every orientation of an oblique image."""

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from intrastyler_nnunet.crossmoda.region import Region, cochlear_region, whole_image
from intrastyler_nnunet.evaluation.metrics import dice
from intrastyler_nnunet.grids import SamplingGrid, image_onto, labels_onto, to_lps

SIZE, SPACING = (260, 120, 36), (0.41, 0.41, 1.2)
# Centre and radii in mm from the image's centre; the sizes are those of measured label maps.
ELLIPSOIDS = {
    3: [((-34.0, -3.0, 1.0), (3.2, 2.8, 3.4)), ((34.0, -3.0, 0.0), (3.2, 2.8, 3.4))],
    2: [((24.0, 0.0, 0.0), (4.0, 3.0, 3.0))],
    1: [((16.0, 2.0, 1.0), (7.0, 6.0, 6.0))],
}


def oblique_image(seed: int) -> SimpleITK.Image:
    """Label map of the ellipsoids whose axes are turned up to 15 degrees from the patient's."""
    angles = np.random.default_rng(seed).uniform(-15, 15, 3)
    image = SimpleITK.Image(SIZE, SimpleITK.sitkUInt8)
    image.SetSpacing(SPACING)
    image.SetDirection(Rotation.from_euler("xyz", angles, degrees=True).as_matrix().ravel().tolist())
    image.SetOrigin((12.3, -45.6, 7.8))
    indices = np.stack(np.meshgrid(*map(np.arange, SIZE), indexing="ij"), axis=-1)
    points = (indices - (np.array(SIZE) - 1) / 2) * SPACING
    labels = np.zeros(SIZE, np.uint8)
    for value, ellipsoids in ELLIPSOIDS.items():
        for centre, radii in ellipsoids:
            labels[(((points - centre) / radii) ** 2).sum(axis=-1) <= 1] = value
    filled = SimpleITK.GetImageFromArray(labels.transpose(2, 1, 0))
    filled.CopyInformation(image)
    return filled


def centres(labels: SimpleITK.Image) -> np.ndarray:
    """Centre of mass of each label in fractional voxels."""
    array = SimpleITK.GetArrayFromImage(labels)
    return np.array([np.argwhere(array == value).mean(axis=0) for value in ELLIPSOIDS])


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_labels_come_back_to_where_they_were(order):
    for number, flips in enumerate(product((False, True), repeat=3)):
        original = SimpleITK.PermuteAxes(oblique_image(number), order)
        original = SimpleITK.Flip(original, flips, False)
        image = to_lps(original)
        cochleae = np.argwhere(SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0) == 3)
        region = cochlear_region(cochleae, SamplingGrid.of(image), Region())
        cut = labels_onto(image, region)
        back = labels_onto(cut, SamplingGrid.of(original))
        assert SamplingGrid.of(back) == SamplingGrid.of(original)
        before, after = SimpleITK.GetArrayFromImage(original), SimpleITK.GetArrayFromImage(back)
        scores = {value: dice(after == value, before == value) for value in ELLIPSOIDS}
        assert min(scores[1], scores[2]) >= 0.95
        assert scores[3] >= 0.88
        assert np.abs(centres(back) - centres(original)).max() < 0.1


def test_a_linear_image_is_resampled_exactly():
    grid = SamplingGrid((20, 24, 10), (0.7, 0.5, 2.0), (5.0, -3.0, 1.0), tuple(np.eye(3).ravel()))
    image = SimpleITK.Cast(grid.empty(), SimpleITK.sitkFloat32)
    x, y, z = np.meshgrid(np.arange(20), np.arange(24), np.arange(10), indexing="ij")
    ramp = 2.0 * x - 3.0 * y + 5.0 * z
    filled = SimpleITK.GetImageFromArray(ramp.transpose(2, 1, 0).astype(np.float32))
    filled.CopyInformation(image)
    part = grid.part((1.5, 2.25, 3.0), (6, 5, 4), (0.35, 0.5, 1.0))
    result = SimpleITK.GetArrayFromImage(image_onto(filled, part)).transpose(2, 1, 0)
    i, j, k = np.meshgrid(np.arange(6), np.arange(5), np.arange(4), indexing="ij")
    np.testing.assert_allclose(result, 2 * (1.5 + i / 2) - 3 * (2.25 + j) + 5 * (3 + k / 2), atol=1e-4)


IMAGE = SamplingGrid((512, 512, 60), (0.5, 0.5, 1.0), (0.0, 0.0, 0.0), tuple(map(float, np.eye(3).ravel())))


def region_bounds(cochleae) -> np.ndarray:
    """First and last voxel centre of the region in mm, which are millimetres in the patient here."""
    grid = cochlear_region(np.array(cochleae), IMAGE, Region())
    last = np.array(grid.origin) + np.multiply(np.array(grid.size) - 1, grid.spacing)
    return np.array([grid.origin, last])


def test_the_region_holds_both_cochleae_with_the_recipes_margin():
    low, high = region_bounds([(188, 240, 28), (324, 250, 33)])  # 94 and 162 mm
    assert low[0] < 94 - 10
    assert high[0] > 162 + 10
    np.testing.assert_allclose((low[0] + high[0]) / 2, (94 + 162) / 2, atol=0.5)
    np.testing.assert_allclose(low[1], 120 - 10.25, atol=0.3)
    assert low[2] <= 18
    assert high[2] >= 43


@pytest.mark.parametrize(("x", "begins"), [(188, True), (324, False)])
def test_one_cochlea_is_enough_for_both_sides(x, begins):
    low, high = region_bounds([(x, 240, 28), (x + 8, 250, 33)])
    nearest = x * 0.5 - low[0] if begins else high[0] - (x + 8) * 0.5
    np.testing.assert_allclose(nearest, 10.25, atol=0.5)


def test_without_cochleae_the_whole_image_is_kept():
    grid = whole_image(IMAGE, Region())
    extent = np.multiply(np.array(grid.size) - 1, grid.spacing)
    missing = np.multiply(np.array(IMAGE.size) - 1, IMAGE.spacing) - extent
    assert (missing >= 0).all()
    assert (missing < grid.spacing).all()
