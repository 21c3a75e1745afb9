"""Can a generator translate a single slice, as a 2D configuration would need it?

    python -m benchmarks.quality.slices      (about a minute)

Slices of simulated source images, each repeated to a slab and translated to an exemplar's style, against the same
slice of the translated volume; and, for scale, that slice against its neighbour in the translated volume. Mean
absolute differences in generator space, a range of 2.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.quality.simulated_pairs import Pair, generator_input, held_out_pairs, style_of
from benchmarks.quality.synthesis_quality import SEED
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.translation.translator import Translator

RESULT = Path(__file__).parents[1] / "results" / "slices.json"
SLAB = 8  # the fewest slices a generator takes


def differences(translator: Translator, pair: Pair) -> tuple[float, float]:
    """Of slabs from the volume's slices, and of the volume's neighbouring slices."""
    generator, source = translator.generator, pair.source
    image = generator_input(translator, source.volume, source.window, source.anatomy)
    style = style_of(translator, pair.exemplar)[None]
    whole = generator(image, style)
    slices = range(1, image.shape[-1] - 1)
    slabs = [generator(image[..., z : z + 1].expand(-1, -1, -1, -1, SLAB), style)[..., SLAB // 2] for z in slices]
    alone = torch.stack(slabs, dim=-1) - whole[..., 1:-1]
    return float(alone.abs().mean()), float((whole[..., 2:] - whole[..., 1:-1]).abs().mean())


@torch.inference_mode()
def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", dest="output", type=Path, default=RESULT)
    parser.add_argument("--sources", type=int, default=3)
    arguments = parser.parse_args()
    translator = Translator(Generator.load(shipped_generator()))
    rows = [differences(translator, pair) for pair in held_out_pairs(SEED, arguments.sources)]
    slab, neighbour = np.mean(rows, axis=0).tolist()
    result = {"slab_against_volume": slab, "neighbouring_slices": neighbour, "pairs": len(rows)}
    write_json(result, arguments.output)
    print(result)


if __name__ == "__main__":
    main()
