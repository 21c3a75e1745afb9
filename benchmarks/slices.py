"""Can a generator translate a single slice, as a 2D configuration would need it?

    python -m benchmarks.slices      (about a minute)

Slices of simulated source images, each repeated to a slab and translated to a random exemplar's style, against the same
slice of the translated volume; and, for scale, that slice against its neighbour in the translated volume. Mean
absolute differences in generator space, a range of 2.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.networks.generator import Generator
from intrastyler_nnunet.pretrained_generators import shipped_generator
from intrastyler_nnunet.simulation.anatomy import build_anatomy
from intrastyler_nnunet.simulation.plan import SCALES, Case, plan_dataset
from intrastyler_nnunet.simulation.scanner import scan_anatomy
from intrastyler_nnunet.styles.bank import exemplar_style
from intrastyler_nnunet.styles.windows import intensity_window, to_generator_space

RESULT = Path(__file__).parent / "results" / "slices.json"
SEED = 11  # the shipped generator was trained on another seed's subjects
SLAB = 8  # the fewest slices a generator takes


def volume_of(case: Case) -> np.ndarray:
    """The scan (z, y, x), as nnU-Net orders axes."""
    anatomy = build_anatomy(case.sample_subject(SEED), SCALES["small"].grid)
    return scan_anatomy(anatomy, case.scan).transpose(2, 1, 0).astype(np.float32)


def differences(generator: Generator, source: np.ndarray, exemplar: np.ndarray) -> tuple[float, float]:
    """Of slabs from the volume's slices, and of the volume's neighbouring slices."""
    patch = generator.metadata.style_patch_size
    style = exemplar_style(generator, torch.from_numpy(exemplar)[None], intensity_window(exemplar), patch)[0][None]
    image = to_generator_space(torch.from_numpy(source)[None, None], torch.tensor([intensity_window(source)]))
    image = image.permute(0, 1, 4, 3, 2).contiguous()
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
    parser.add_argument("--cases", type=int, default=6)
    arguments = parser.parse_args()
    generator = Generator.load(shipped_generator("simcrossmoda_small")).eval()
    cases = plan_dataset("small", SEED, paired=False, test_head="colin27")
    sources, targets = ([case for case in cases if case.split == split] for split in ("source", "target"))
    pairs = list(zip(sources, targets, strict=False))[: arguments.cases]
    rows = [differences(generator, volume_of(source), volume_of(target)) for source, target in pairs]
    slab, neighbour = np.mean(rows, axis=0).tolist()
    result = {"slab_against_volume": slab, "neighbouring_slices": neighbour, "cases": len(rows)}
    write_json(result, arguments.output)
    print(result)


if __name__ == "__main__":
    main()
