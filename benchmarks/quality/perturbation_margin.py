"""Do the negatives of the style contrast differ in style by more than two scans of one style differ?

    python -m benchmarks.quality.perturbation_margin            (5 minutes on one core)

Simulated T2 images. Style distance of two images of one head: root mean square difference of the six numbers of
`contrast_measures` and of the shading, each in units of its standard deviation between scans of one subject and
protocol with noise and receive field of their own. The margin of a kind of perturbation is the distance of a negative
from the image it was made of, over the distance of two such scans (mean over their pairs).
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from benchmarks.quality.contrast_measures import contrast_measures
from benchmarks.quality.simulated_pairs import Image, image_of, sites_of, tissue_masks
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.objective.perturbations import KINDS, perturb, sample_perturbation
from intrastyler_nnunet.translation.windows import intensity_window

SEED = 2026
SCANS = 6  # of one subject and protocol
SHADING_SIGMA = (15.0, 15.0, 10.0)  # voxels of 1 x 1 x 1.5 mm


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=9)
    parser.add_argument("--draws", type=int, default=8, help="negatives of each kind for each image")
    result_file = Path(__file__).parents[1] / "results" / "perturbation_margin.json"
    parser.add_argument("-o", dest="output", type=Path, default=result_file)
    arguments = parser.parse_args()
    sites = sites_of("target", seen_only=True)
    images = [image_of(SEED, number, sites[number % len(sites)]) for number in range(arguments.images)]
    scans = [
        np.stack([style(image.rescan(image.anatomy, number), image) for number in range(SCANS)])
        for image in tqdm(images, "scans of one style")
    ]
    unit = np.sqrt(np.nanmean([scan.var(axis=0, ddof=1) for scan in scans], axis=0))
    between = float(np.mean([distance(a, b, unit) for scan in scans for a, b in combinations(scan, 2)]))
    margins = {
        kind: [
            distance(negative, scan[0], unit) / between
            for image, scan in zip(tqdm(images, kind), scans, strict=True)
            for negative in negatives(image, kind, arguments.draws)
        ]
        for kind in KINDS
    }
    result = {kind: {f"quantile_{q}": float(np.quantile(m, q)) for q in (0, 0.05, 0.5)} for kind, m in margins.items()}
    for kind, values in result.items():
        print(f"{kind:12}", "  ".join(f"{name} {value:.2f}" for name, value in values.items()))
    write_json({"images": arguments.images, "draws": arguments.draws, "margins": result}, arguments.output)


def style(volume: np.ndarray, image: Image) -> np.ndarray:
    """Contrast measures and shading (7,) of a volume (x, y, z) of the image's head, in its own window."""
    low, high = window = intensity_window(volume)
    brain = tissue_masks(image.anatomy)["brain"]
    smooth = gaussian_filter(np.where(brain, (volume - low) / (high - low), 0), SHADING_SIGMA)
    shading = np.log(smooth / gaussian_filter(brain.astype(float), SHADING_SIGMA))[brain].std()
    return np.array([*contrast_measures(volume, window, image.anatomy).values(), shading])


def distance(first: np.ndarray, second: np.ndarray, unit: np.ndarray) -> float:
    """Root mean square of the differences in units of `unit`; a tumour that is not there does not count."""
    return float(np.sqrt(np.nanmean(((first - second) / unit) ** 2)))


def negatives(image: Image, kind: str, count: int):
    """The styles of `count` perturbed copies of the image."""
    low, high = image.window
    unit = np.clip((image.volume - low) / (high - low), 0, 1).astype(np.float32)
    perturbation = sample_perturbation(np.random.default_rng([SEED, image.scan.seed]), count, kind)
    torch.manual_seed(image.scan.seed)
    copies = torch.from_numpy(unit * 2 - 1)[None, None].repeat(count, 1, 1, 1, 1)
    for copy in perturb(copies, perturbation)[:, 0].numpy():
        yield style((copy + 1) / 2, image)


if __name__ == "__main__":
    main()
