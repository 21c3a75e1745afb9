"""Where the cochleae are, without learning: a template head is laid over the image by mutual information."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import SimpleITK

from intrastyler_nnunet.grids import SamplingGrid, image_onto, to_lps
from intrastyler_nnunet.simulation.chains import COCHLEA_CENTRE, Places, bilateral_structures, cochlea
from intrastyler_nnunet.simulation.grid import Grid
from intrastyler_nnunet.simulation.head import head_signal, load_head
from intrastyler_nnunet.simulation.painting import chain_layer, paint_signals
from intrastyler_nnunet.simulation.raw_dataset import volume_image
from intrastyler_nnunet.simulation.scanner import tissue_signals
from intrastyler_nnunet.simulation.sites import sample_scan
from intrastyler_nnunet.simulation.subject import sample_subject

VOXEL = 2.0  # mm, of template and image
TEMPLATE_GRID = Grid((80, 74, 23), (VOXEL,) * 3, (0.0, -28.0, -37.0))
COCHLEAE = np.array([[-1.0, -1.0, 1.0], [1.0, -1.0, 1.0]]) * COCHLEA_CENTRE  # LPS mm, right one first
HEIGHTS = (-24.0, -12.0, 0.0, 12.0, 24.0)  # mm from the image's middle slice where the cochleae are looked for
HISTOGRAM_BINS = 32
SAMPLED_SHARE, SEED = 0.3, 1
FEWEST_SLICES = 4  # of an image that can be smoothed
SMALLEST_OVERLAP = 0.6  # of the template with the image


@dataclass(frozen=True)
class Localisation:
    """What the registration says."""

    cochleae: np.ndarray  # (2, 3) mm in the patient, right one first
    disagreement: float  # mm between the two best of several registrations with different starts
    information: float  # mutual information of template and image


@lru_cache(maxsize=1)
def template() -> SimpleITK.Image:
    """A T2-weighted skull base with inner ears and no tumour: the simulation's head, unwarped."""
    axes = np.meshgrid(*TEMPLATE_GRID.axes(), indexing="ij")
    points = np.stack(axes).reshape(3, -1).astype(np.float32)
    scan = sample_scan("target_b", np.random.default_rng(SEED), "b_turbo_15t")
    signals = tissue_signals(sample_subject(SEED, 0), scan)
    head = load_head("colin27")
    volume = head_signal(head, points - head.start.astype(np.float32)[:, None], signals)
    right = cochlea(1.0)
    places = Places(points)
    chains = (*bilateral_structures(), right, right.mirrored())
    paint_signals(volume, tuple(chain_layer(chain, places, VOXEL) for chain in chains), signals)
    return volume_image(volume.reshape(TEMPLATE_GRID.shape), TEMPLATE_GRID)


def locate_cochleae(image: SimpleITK.Image) -> Localisation | None:
    """Register the template to a T2 image from several starts; None if none of them found enough overlap.

    Args:
        image: 3D, of any orientation, the head in it roughly as its header says or as its slices lie.
    """
    if min(image.GetSize()) < FEWEST_SLICES:
        return None
    image = _coarse(to_lps(image))
    coarse = [_registered(image, start, shrink=2, iterations=60) for start in _starts(image)]
    coarse = sorted((found for found in coarse if found is not None), key=lambda found: found[0])
    fine = [_registered(image, start, shrink=1, iterations=40) for _, start in coarse[:2]]
    fine = sorted((found for found in fine if found is not None), key=lambda found: found[0])
    if not fine:
        return None
    places = [np.array([transform.TransformPoint(point) for point in COCHLEAE.tolist()]) for _, transform in fine]
    disagreement = np.linalg.norm(places[0] - places[-1], axis=1).max() if len(fine) > 1 else np.inf
    return Localisation(places[0], float(disagreement), -fine[0][0])


def _coarse(image: SimpleITK.Image) -> SimpleITK.Image:
    """The image in voxels of the template's size, its brightest half per cent cut off."""
    image = SimpleITK.SmoothingRecursiveGaussian(SimpleITK.Cast(image, SimpleITK.sitkFloat32), VOXEL / 2)
    highest = float(np.percentile(SimpleITK.GetArrayViewFromImage(image), 99.5))
    grid = SamplingGrid.of(image)
    size = np.maximum(np.multiply(grid.size, grid.spacing) // VOXEL, 1).astype(int)
    start = (np.divide(VOXEL, grid.spacing) - 1) / 2
    image = image_onto(image, grid.part(tuple(start), tuple(size.tolist()), (VOXEL,) * 3))
    return SimpleITK.Minimum(image, highest)


def _starts(image: SimpleITK.Image) -> list[SimpleITK.Similarity3DTransform]:
    """The template's centre below the head's centre, at several heights, upright in the patient and in the image."""
    array = SimpleITK.GetArrayViewFromImage(image)
    head = np.argwhere(array > array.mean())
    middle = np.append(head.mean(axis=0)[:0:-1], (image.GetSize()[2] - 1) / 2)  # x, y of the head; z of the image
    # SimpleITK takes rotations only, to ten digits; NIfTI stores seven.
    left, _, right = np.linalg.svd(np.reshape(image.GetDirection(), (3, 3)))
    upright = [np.eye(3), left @ right]
    if np.allclose(*upright, atol=1e-3):
        upright.pop()
    centre = np.array(template().TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in template().GetSize()]))
    starts = []
    for height in HEIGHTS:
        place = image.TransformContinuousIndexToPhysicalPoint((middle + (0, 0, height / VOXEL)).tolist())
        for matrix in upright:
            transform = SimpleITK.Similarity3DTransform()
            transform.SetCenter(centre.tolist())
            transform.SetMatrix(matrix.ravel().tolist())
            transform.SetTranslation((np.array(place) - centre).tolist())
            starts.append(transform)
    return starts


def _registered(
    image: SimpleITK.Image, start: SimpleITK.Similarity3DTransform, shrink: int, iterations: int
) -> tuple[float, SimpleITK.Similarity3DTransform] | None:
    """Metric (smaller is better) and transform from the template to the image after optimisation."""
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(HISTOGRAM_BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(SAMPLED_SHARE, SEED)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetShrinkFactorsPerLevel([shrink])
    method.SetSmoothingSigmasPerLevel([VOXEL * shrink / 2])
    method.SetOptimizerAsRegularStepGradientDescent(2.0 * shrink, 0.01, iterations)
    method.SetOptimizerScalesFromPhysicalShift()
    transform = SimpleITK.Similarity3DTransform(start)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(template(), image)
    except RuntimeError:  # the template left the image
        return None
    return (method.GetMetricValue(), transform) if _overlap(image, transform) >= SMALLEST_OVERLAP else None


def _overlap(image: SimpleITK.Image, transform: SimpleITK.Transform) -> float:
    """Share of the template's voxels that lie in the image."""
    inside = SimpleITK.GreaterEqual(image, -np.inf)
    covered = SimpleITK.Resample(inside, template(), transform, SimpleITK.sitkNearestNeighbor, 0.0)
    return float(SimpleITK.GetArrayFromImage(covered).mean())
