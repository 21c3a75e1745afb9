"""Draw docs/simulation_scanners.png: a source and a target image of every scanner of the simulation.

python docs/simulation_sheet.py
"""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

from intrastyler_nnunet.simulation.grid import Grid
from intrastyler_nnunet.simulation.patient import build_anatomy
from intrastyler_nnunet.simulation.plan import TRAINING_HEADS
from intrastyler_nnunet.simulation.scanner import scan_anatomy
from intrastyler_nnunet.simulation.sites import sample_scan, scanners_of
from intrastyler_nnunet.simulation.subject import sample_subject

matplotlib.use("agg")
from matplotlib import pyplot as plt

SHEET = Path(__file__).with_name("simulation_scanners.png")
SEED = 8
GRID = Grid((180, 132, 3), (0.7, 0.7, 1.5), (0.0, -38.0, -37.0))
COLUMNS, COLOURS = 5, 24


def main() -> None:
    """Write the picture; every scanner has a subject of its own."""
    scanners = [*scanners_of("source", seen_only=True), *scanners_of("target", seen_only=False)]
    rows = -(-len(scanners) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(2.35 * COLUMNS, 1.95 * rows), facecolor="black")
    for axis in axes.flat:
        axis.axis("off")
    for number, (axis, (site, scanner)) in enumerate(zip(axes.flat, scanners, strict=False)):
        subject = sample_subject(SEED, number, TRAINING_HEADS[number % 2])
        scan = sample_scan(site, np.random.default_rng(number), scanner)
        grid = replace(GRID, spacing=(*GRID.spacing[:2], scan.slice_thickness))
        middle = scan_anatomy(build_anatomy(subject, grid), scan)[..., 1]
        axis.imshow(middle.T, cmap="gray", vmin=0, vmax=np.percentile(middle, 99.7), interpolation="lanczos")
        axis.set_title(f"{site}: {scanner}", color="white", fontsize=6.5, pad=2)
    figure.subplots_adjust(0.005, 0.005, 0.995, 0.96, wspace=0.02, hspace=0.1)
    buffer = BytesIO()
    figure.savefig(buffer, dpi=115)
    Image.open(buffer).convert("L").quantize(COLOURS).save(SHEET, optimize=True)


if __name__ == "__main__":
    main()
