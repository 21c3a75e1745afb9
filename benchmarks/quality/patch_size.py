"""How much worse a generator translates patches than whole images: mean absolute error to the simulated truth.

    python -m benchmarks.quality.patch_size

Norms see each patch's own tissues: where their proportions are not those of the images that the generator was trained
on, intensities shift. Images are cut into patches without overlap, each translated alone, as in training.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality.simulated_pairs import Pair, held_out_pairs, style_of, tensor
from benchmarks.quality.synthesis_quality import SEED
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.translation.translator import Translator

PIECES = ((1, 1), (2, 1), (1, 2), (2, 2))  # into which images are cut, from left to right and from back to front


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-g", dest="generator", type=Path, default=None, help="default: the shipped generator")
    parser.add_argument("--sources", type=int, default=6, help="source subjects; fewer for a quick look")
    output = Path(__file__).parents[1] / "results" / "patch_size.json"
    parser.add_argument("-o", dest="output", type=Path, default=output)
    arguments = parser.parse_args()
    path = arguments.generator or shipped_generator()
    translator = Translator(Generator.load(path))
    pairs = held_out_pairs(SEED, arguments.sources)
    styles = [style_of(translator, pair.exemplar)[None] for pair in pairs]
    errors = {
        f"{x} x {y}": float(np.mean([error(translator, *each, x, y) for each in zip(pairs, styles, strict=True)]))
        for x, y in PIECES
    }
    print(errors)
    write_json({"generator": path.name, "pairs": len(pairs), "errors": errors}, arguments.output)


def error(translator: Translator, pair: Pair, style: torch.Tensor, pieces_x: int, pieces_y: int) -> float:
    """Mean absolute error, in the exemplar's standard deviations, of a source image translated piece by piece."""
    windows = torch.tensor([pair.source.window]), torch.tensor([pair.exemplar.window])
    volumes = (pair.source.volume, pair.source.anatomy.labels.astype(np.int16), pair.truth)
    errors = []
    for half in zip(*(tensor(volume).chunk(pieces_x, dim=-1) for volume in volumes), strict=True):
        for image, labels, truth in zip(*(part.chunk(pieces_y, dim=-2) for part in half), strict=True):
            translation = translator(image.contiguous(), windows[0], style, windows[1], labels=labels.contiguous())
            errors.append(float((translation - truth).abs().mean()))
    return float(np.mean(errors))


if __name__ == "__main__":
    main()
