"""Make a head slab: the tissue classes of a T1-weighted template around the skull base, in MNI space.

    python -m intrastyler_nnunet.simulation.make_head_slab ch2.nii.gz colin27
    python -m intrastyler_nnunet.simulation.make_head_slab T1.nii.gz mni2009c

The slabs it wrote are part of the package; this script is here so that they can be made again.
"""

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from sklearn.mixture import GaussianMixture

from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.simulation.head import DATA_FOLDER, UNEVENNESS
from intrastyler_nnunet.simulation.tissues import Tissue

SLAB_START = (-90, -112, -71)  # mm, MNI (x, y, z) of the first voxel
SLAB_STOP = (90, 60, -5)  # mm, inclusive
PONS = (0, -22, -34)  # mm, MNI: inside the brain in every head registered to MNI space
EYES = ((-33, 52, -39), (33, 52, -39))  # mm, MNI
TEXTURE_LEVELS = 15  # few levels keep the file small; the image's own noise hides the steps


def read_slab(path: Path) -> np.ndarray:
    """The slab of a 1 mm template in MNI space, float32, axes (x, y, z)."""
    image = sitk.ReadImage(str(path), sitk.sitkFloat32)
    right, anterior, superior = (float(s) for s in SLAB_START)
    start = image.TransformPhysicalPointToIndex((-right, -anterior, superior))
    size = [stop - begin + 1 for begin, stop in zip(SLAB_START, SLAB_STOP, strict=True)]
    slab = image[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))]
    return sitk.GetArrayFromImage(slab).transpose(2, 1, 0)


def index_of(point: tuple[int, int, int]) -> tuple[int, int, int]:
    """Voxel index of an MNI point in the slab."""
    return tuple(p - s for p, s in zip(point, SLAB_START, strict=True))


def sphere(shape: tuple[int, ...], centre: tuple[int, int, int], radius: float) -> np.ndarray:
    """Mask of a sphere around an MNI point."""
    offsets = np.ogrid[tuple(slice(0, n) for n in shape)]
    return sum((o - c) ** 2 for o, c in zip(offsets, index_of(centre), strict=True)) <= radius**2


def segment(slab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tissue classes (uint8) and texture (float, -1..1) of a T1-weighted slab.

    In CSF, grey and white matter the texture says how far the intensity lies towards the next darker (< 0) or next
    brighter (> 0) of the three: the partial volumes between folia. Elsewhere it is the deviation from the class's
    local mean, in units of `UNEVENNESS`.
    """
    pons = float(np.median(slab[sphere(slab.shape, PONS, 5)]))
    x, y, z = np.meshgrid(*[np.arange(n) + s for n, s in zip(slab.shape, SLAB_START, strict=True)], indexing="ij")
    outside_skull = (np.abs(x) > 72) | ((y > 26) & (z < -26)) | ((y > -15) & (z < -52))
    brain = find_brain(slab, pons, outside_skull)
    distance = ndimage.distance_transform_edt(~brain)
    bone, csf, grey, white = class_means(slab[distance < 6], pons)

    # Brighter than bone, darker than brain.
    fluid_like = (slab > (bone + csf) / 2) & (slab < (csf + grey) / 2)
    cisterns = find_cisterns(fluid_like, brain, distance)
    eyes = np.any([sphere(slab.shape, eye, 13) for eye in EYES], axis=0)
    vitreous = ndimage.binary_opening(eyes & fluid_like, iterations=2)
    soft = slab > 0.42 * grey
    nasal = (np.abs(x) < 22) & (y > 6) & (z < -22)
    depth = ndimage.distance_transform_edt(ndimage.binary_closing(slab > bone, iterations=2))

    tissue = np.full(slab.shape, Tissue.BONE_OR_AIR, dtype=np.uint8)
    tissue[soft] = Tissue.MUSCLE
    tissue[soft & nasal & (slab < 1.1 * white)] = Tissue.MUCOSA
    tissue[slab > 1.12 * white] = Tissue.FAT
    tissue[~soft & (slab > (bone + csf) / 2 + 0.05 * white) & (depth > 8)] = Tissue.MARROW
    tissue[cisterns | vitreous] = Tissue.CSF
    tissue[brain] = np.where(slab[brain] > (grey + white) / 2, Tissue.WHITE_MATTER, Tissue.GREY_MATTER)
    tissue = without_holes(tissue)
    return tissue, texture(slab, tissue, csf, grey, white)


def without_holes(tissue: np.ndarray) -> np.ndarray:
    """The classes with CSF where dark fluid within brain and CSF, as in the ventricles, was taken for bone."""
    result = tissue.copy()
    regions, _ = ndimage.label(tissue == Tissue.BONE_OR_AIR)
    for number, box in enumerate(ndimage.find_objects(regions), start=1):
        wider = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in box)
        hole = regions[wider] == number
        around = tissue[wider][ndimage.binary_dilation(hole) & ~hole]
        if np.isin(around, (Tissue.CSF, Tissue.GREY_MATTER, Tissue.WHITE_MATTER)).mean() > 0.9:
            result[wider][hole] = Tissue.CSF
    return result


def find_brain(slab: np.ndarray, pons: float, outside_skull: np.ndarray) -> np.ndarray:
    """Mask of the brain: the region as bright as brain that holds the pons, cut free of muscle by an opening."""
    brain_like = (slab > 0.62 * pons) & (slab < 1.35 * pons) & ~outside_skull
    regions, _ = ndimage.label(ndimage.binary_opening(brain_like, iterations=3))
    brain = regions == regions[index_of(PONS)]
    return ndimage.binary_dilation(brain, iterations=3, mask=brain_like)


def class_means(values: np.ndarray, pons: float) -> tuple[float, float, float, float]:
    """Mean intensities of bone, CSF, grey and white matter among `values`: a Gaussian mixture."""
    mixture = GaussianMixture(4, means_init=np.array([[0.1], [0.4], [0.87], [1.08]]) * pons, random_state=0)
    return tuple(np.sort(mixture.fit(values[::7, None]).means_.ravel()))


def find_cisterns(fluid_like: np.ndarray, brain: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Mask of the CSF: what is like fluid near the brain and reached from it without crossing bone."""
    reachable = (fluid_like | brain) & (distance < 8)
    return ndimage.binary_dilation(brain, iterations=9, mask=reachable) & ~brain & fluid_like


def texture(slab: np.ndarray, tissue: np.ndarray, csf: float, grey: float, white: float) -> np.ndarray:
    """See `segment`."""
    result = np.zeros(slab.shape, dtype=np.float32)
    smallest_step = 0.1 * white
    for name, mean, darker, brighter in (
        (Tissue.CSF, csf, csf, grey), (Tissue.GREY_MATTER, grey, csf, white), (Tissue.WHITE_MATTER, white, grey, white),
    ):  # fmt: skip
        mask = tissue == name
        excess = slab[mask] - mean
        step = np.where(excess > 0, brighter - mean, mean - darker)
        result[mask] = excess / np.maximum(step, smallest_step)
    for name in (Tissue.MARROW, Tissue.FAT, Tissue.MUSCLE, Tissue.MUCOSA):
        mask = tissue == name
        weight = ndimage.gaussian_filter(mask.astype(np.float32), 5)
        local_mean = ndimage.gaussian_filter(slab * mask, 5) / np.maximum(weight, 1e-3)
        result[mask] = (slab[mask] / local_mean[mask] - 1) / UNEVENNESS
    return np.clip(result, -1, 1)


def write_volume(array: np.ndarray, path: Path) -> None:
    """Write a slab volume (x, y, z) as compressed NIfTI in MNI space."""
    image = sitk.GetImageFromArray(array.transpose(2, 1, 0))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    image.SetOrigin((-SLAB_START[0], -SLAB_START[1], SLAB_START[2]))
    with written_atomically(path) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True, compressionLevel=9)


def main() -> None:
    """Read a template and write its slab."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("template", type=Path, help="T1-weighted head in MNI space, 1 mm (NIfTI)")
    parser.add_argument("head", help="name of the slab, e.g. colin27")
    parser.add_argument("-o", "--output", type=Path, default=DATA_FOLDER, help="folder to write to")
    arguments = parser.parse_args()
    tissue, fine = segment(read_slab(arguments.template))
    levels = np.rint((fine + 1) / 2 * (TEXTURE_LEVELS - 1)).astype(np.uint8)
    write_volume(tissue, arguments.output / f"{arguments.head}_tissue.nii.gz")
    write_volume(levels, arguments.output / f"{arguments.head}_texture.nii.gz")


if __name__ == "__main__":
    main()
