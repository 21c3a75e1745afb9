"""How much voxels outside the image disturb a translation: mean absolute error to the simulated truth.

    python -m benchmarks.quality.padding

nnU-Net pads patches that reach beyond the image with zeros. Images are padded in the plane by so many voxels at each
end, with the label -1, and translated as a training batch is; the error is that of the image's own voxels, in standard
deviations of the exemplar. "masked" hands the padding on as voxels outside the image, "unmasked" as if it were image.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.quality.simulated_pairs import Pair, held_out_pairs, style_of, tensor
from benchmarks.quality.synthesis_quality import SEED
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.translation.translator import Translator

PAIRS = 12
MARGINS = (0, 4, 8)  # voxels


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-g", dest="generator", type=Path, default=None, help="default: the shipped generator")
    output = Path(__file__).parents[1] / "results" / "padding.json"
    parser.add_argument("-o", dest="output", type=Path, default=output)
    arguments = parser.parse_args()
    path = arguments.generator or shipped_generator()
    translator = Translator(Generator.load(path))
    pairs = held_out_pairs(SEED, PAIRS)[:PAIRS]
    styles = [style_of(translator, pair.exemplar)[None] for pair in pairs]
    errors = {
        name: {
            margin: float(np.mean([error(translator, *each, margin, name) for each in zip(pairs, styles, strict=True)]))
            for margin in MARGINS
        }
        for name in ("unmasked", "masked")
    }
    print(errors)
    write_json({"generator": path.name, "pairs": len(pairs), "errors": errors}, arguments.output)


def error(translator: Translator, pair: Pair, style: torch.Tensor, margin: int, kind: str) -> float:
    """Mean absolute error of the image's own voxels when `margin` voxels of padding lie around it in the plane."""
    padding = (margin,) * 4
    image = F.pad(tensor(pair.source.volume), padding)
    labels = F.pad(tensor(pair.source.anatomy.labels.astype(np.int16)), padding)
    outside = F.pad(torch.zeros_like(tensor(pair.truth), dtype=torch.bool), padding, value=True)
    windows = torch.tensor([pair.source.window]), torch.tensor([pair.exemplar.window])
    masked = outside if margin and kind == "masked" else None
    translation = translator(image, windows[0], style, windows[1], masked, labels)
    return float((translation - F.pad(tensor(pair.truth), padding))[~outside].abs().mean())


if __name__ == "__main__":
    main()
