"""Does the style encoder tell new scanners from the source modality? `intrastyler adapt` and `choose` rely on it.

    python -m benchmarks.quality.new_images

Simulated images, styles of the shipped generator: how far images lie from the nearest exemplar and from the nearest
source image (degrees), and how many are nearer to the source, which the two commands refuse. Wanted: all of the source
images and none of the others. The picture is one of docs/new_scanner.md.
"""

import argparse
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from tqdm import tqdm

from benchmarks.quality.simulated_pairs import image_of
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.simulation.sites import in_turn, sites_by_share
from intrastyler_nnunet.styles.bank import exemplar_style
from intrastyler_nnunet.styles.coverage import coverage, degrees_between

SEED = 77  # of the simulation; not the one of any training
KNOWN = {"source": 20, "target": 40}  # images that new ones are compared with
NEW = {
    "source images": (sites_by_share("source"), 20, 200), "known scanners": (sites_by_share("target"), 30, 300),
    "interpolation": (["target_interpolation"], 12, 400), "extrapolation": (["target_extrapolation"], 12, 450),
}  # fmt: skip

matplotlib.use("agg")


def main() -> None:
    """Measure, print, write the result file and the picture."""
    here = Path(__file__).parents[1]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", dest="output", type=Path, default=here / "results" / "new_images.json")
    parser.add_argument("--picture", type=Path, default=here.parent / "docs" / "new_scanner_styles.png")
    arguments = parser.parse_args()
    generator = Generator.load(shipped_generator()).eval()
    source, target = (
        styles(generator, sites_by_share(domain), count, 100 * place)
        for place, (domain, count) in enumerate(KNOWN.items())
    )
    groups, results = {}, {}
    for name, (sites, count, first) in NEW.items():
        vectors = styles(generator, sites, count, first)
        found = coverage(vectors, target)
        to_source = degrees_between(vectors, source).min(dim=1).values
        groups[name] = (to_source.numpy(), found.angles.numpy())
        results[name] = {
            "images": count, "degrees_to_source": _quartiles(to_source),
            "degrees_to_exemplar": _quartiles(found.angles),
            "refused": int((to_source < found.angles).sum()), "outside": int(found.outside.sum()),
        }  # fmt: skip
        print(name, results[name])
    write_json({"seed": SEED, "known": KNOWN, "limit_degrees": round(found.limit, 2), "new": results}, arguments.output)
    draw(groups, found.limit, arguments.picture)


@torch.no_grad()
def styles(generator: Generator, sites: list[str], count: int, first: int) -> torch.Tensor:
    """Style vectors (count, K) of images of subjects from `first` on, at the sites and their scanners in turn."""
    vectors = []
    for number, (site, scanner) in enumerate(tqdm(in_turn(sites, count), str(sites[0]))):
        image = image_of(SEED, first + number, site, scanner=scanner)
        volume = torch.from_numpy(np.ascontiguousarray(image.volume.transpose(2, 1, 0), dtype=np.float32))
        vectors.append(exemplar_style(generator, volume[None], image.window, generator.metadata.style_patch_size)[0])
    return torch.stack(vectors)


def draw(groups: dict[str, tuple[np.ndarray, np.ndarray]], limit: float, path: Path) -> None:
    """Each image by its two angles; above the diagonal it is refused, above the line it lies outside."""
    figure, axes = plt.subplots(figsize=(6, 5))
    for name, (to_source, to_exemplar) in groups.items():
        axes.scatter(to_source, to_exemplar, s=18, label=name)
    end = 95
    axes.fill_between([0, end], [0, end], end, color="tab:red", alpha=0.12, lw=0, label="refused")
    axes.axhline(limit, color="black", ls=":", label="outside from here on")
    axes.set(xlim=(0, end), ylim=(0, 80), xlabel="degrees to the nearest source image",
             ylabel="degrees to the nearest exemplar")  # fmt: skip
    axes.legend(fontsize="small")
    figure.savefig(path, bbox_inches="tight", dpi=110)
    plt.close(figure)


def _quartiles(values: torch.Tensor) -> list[float]:
    return np.percentile(values.numpy(), [0, 25, 50, 75, 100]).round(1).tolist()


if __name__ == "__main__":
    main()
