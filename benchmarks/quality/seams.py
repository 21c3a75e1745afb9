"""Seams: a large image translated in tiles, in blended tiles and in slabs, against one pass over the whole of it.

    python -m benchmarks.quality.seams [-g GENERATOR]

Four simulated images of 192 x 128 x 24 voxels, four times what the generator was trained on. "tiles": side by side,
each of the training size and with its own instance-norm statistics; "blended": half-overlapping ones under nnU-Net's
Gaussian; "slabs": `translation/streaming.py`, every layer finished with the statistics of the whole before the next.
Mean and largest absolute difference to one pass, in [-1, 1], everywhere and within 2 voxels of a seam. Also draws a
seam before and after.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import torch
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window

from benchmarks.quality.simulated_pairs import generator_input, image_of, style_of
from intrastyler_nnunet.files import write_json, written_atomically
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.simulation.challenge import FIELD_CENTRE
from intrastyler_nnunet.simulation.grid import Grid
from intrastyler_nnunet.simulation.patient import build_anatomy
from intrastyler_nnunet.simulation.scanner import scan_anatomy
from intrastyler_nnunet.simulation.sites import sample_scan, sites_of
from intrastyler_nnunet.simulation.subject import sample_subject
from intrastyler_nnunet.translation.streaming import translate_streamed
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.translation.windows import intensity_window

SEED, IMAGES = 2026, 4
GRID = Grid((192, 128, 24), (1.0, 1.0, 1.5), FIELD_CENTRE)
SLABS = (8, 64)
NEAR = 2  # voxels


def main() -> None:
    """Measure, print, write the result file and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-g", dest="generator", type=Path, default=None, help="default: the shipped generator")
    folder = Path(__file__).parents[1]
    parser.add_argument("-o", dest="output", type=Path, default=folder / "results" / "seams.json")
    parser.add_argument("--figure", type=Path, default=folder.parent / "docs" / "seams.png")
    arguments = parser.parse_args()
    path = arguments.generator or shipped_generator()
    translator = Translator(Generator.load(path))
    results = [translations(translator, number) for number in range(IMAGES)]
    tile = tuple(translator.generator.metadata.patch_size[axis] for axis in translator.space.axes)
    near = near_seams(tile)
    methods = [name for name in results[0] if name != "whole"]
    differences = {
        name: {
            "mean": _mean([(r[name] - r["whole"]).abs().mean() for r in results]),
            "mean_near_seams": _mean([(r[name] - r["whole"]).abs()[0, 0][near].mean() for r in results]),
            "largest": max(float((r[name] - r["whole"]).abs().max()) for r in results),
        }
        for name in methods
    }
    for name, values in differences.items():
        print(f"{name:10}", "  ".join(f"{key} {value:.2g}" for key, value in values.items()))
    what = {"generator": path.name, "seed": SEED, "images": IMAGES, "size": GRID.shape, "tile": tile}
    write_json({**what, "difference_to_one_pass": differences}, arguments.output)
    draw(results[0], tile, arguments.figure)


@torch.no_grad()
def translations(translator: Translator, number: int) -> dict[str, torch.Tensor]:
    """One image in one style, (1, 1, X, Y, Z) in [-1, 1], by every method."""
    generator = translator.generator
    source, style = _source(translator, number), _style(translator, number)
    tile = tuple(generator.metadata.patch_size[axis] for axis in translator.space.axes)
    return {
        "whole": generator(source, style),
        "tiles": tiled(generator, source, style, tile, blended=False),
        "blended": tiled(generator, source, style, tile, blended=True),
        **{f"slabs_{slab}": next(translate_streamed(generator, source, style, slab)) for slab in SLABS},
    }


def tiled(generator: Generator, source: torch.Tensor, style: torch.Tensor, tile: tuple, blended: bool) -> torch.Tensor:
    """Tiles translated one by one and put together: nnU-Net's sliding window."""
    shape = source.shape[2:]
    weight = compute_gaussian(tile, dtype=torch.float32, device=source.device) if blended else torch.ones(tile)
    total, weights = torch.zeros_like(source), torch.zeros_like(source)
    for corner in product(*compute_steps_for_sliding_window(shape, tile, 0.5 if blended else 1.0)):
        box = (..., *(slice(start, start + length) for start, length in zip(corner, tile, strict=True)))
        total[box] += weight * generator(source[box].contiguous(), style)
        weights[box] += weight
    return total / weights


def near_seams(tile: tuple[int, ...]) -> torch.Tensor:
    """(X, Y, Z) bool: within NEAR voxels of where tiles that lie side by side meet in plane."""
    near = torch.zeros(GRID.shape, dtype=torch.bool)
    for axis in (0, 1):
        for seam in range(tile[axis], GRID.shape[axis], tile[axis]):
            near.movedim(axis, 0)[seam - NEAR : seam + NEAR] = True
    return near


def draw(result: dict[str, torch.Tensor], tile: tuple[int, ...], path: Path) -> None:
    """A slice in tiles, blended and in slabs, and their differences to one pass."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = {"tiles": "tiles, side by side", "blended": "tiles, blended", f"slabs_{SLABS[0]}": "slabs"}
    figure = Figure(figsize=(10.5, 4.9), layout="constrained")
    FigureCanvasAgg(figure)
    level = GRID.shape[2] // 2
    for axes, (name, title) in zip(figure.subplots(2, 3).T, names.items(), strict=True):
        image, difference = result[name], (result[name] - result["whole"]).abs()
        axes[0].imshow(image[0, 0, :, :, level].T, cmap="gray", vmin=-1, vmax=1)
        axes[0].set_title(title)
        shown = axes[1].imshow(difference[0, 0, :, :, level].T, cmap="magma", vmin=0, vmax=0.5)
        for place in axes:
            place.set_xticks(range(tile[0], GRID.shape[0], tile[0]), [])
            place.set_yticks(range(tile[1], GRID.shape[1], tile[1]), [])
    axes[1].figure.colorbar(shown, ax=figure.axes[1::2], label="difference to one pass", shrink=0.9)
    path.parent.mkdir(exist_ok=True)
    with written_atomically(path) as temporary:
        figure.savefig(temporary, dpi=75)


def _source(translator: Translator, number: int) -> torch.Tensor:
    """A ceT1 image as the generator gets it."""
    rng = np.random.default_rng([SEED, number])
    anatomy = build_anatomy(sample_subject(SEED, number), GRID)
    sites = sites_of("source", seen_only=True)
    volume = scan_anatomy(anatomy, sample_scan(sites[number % len(sites)], rng))
    return generator_input(translator, volume, intensity_window(volume), anatomy)


def _style(translator: Translator, number: int) -> torch.Tensor:
    sites = sites_of("target", seen_only=True)
    return style_of(translator, image_of(SEED, IMAGES + number, sites[number % len(sites)]))[None]


def _mean(values: list[torch.Tensor]) -> float:
    return float(torch.stack(values).mean())


if __name__ == "__main__":
    main()
