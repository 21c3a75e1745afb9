"""A small U-Net trained on labelled simulated T2: it finds tumour and cochlea where a translation shows them.

The judge of whether structures are visible in a translation, and in their place. Nothing of a generator enters it.
A judge that finds too little in true T2 is refused. `python -m benchmarks.quality.t2_segmenter` makes the one that is
shipped.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_model, save_model
from torch import nn
from tqdm import tqdm

from benchmarks.quality.segmenter_training import fit, segmented, small_unet
from benchmarks.quality.simulated_pairs import Image, image_of
from intrastyler_nnunet.evaluation.metrics import dice
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.simulation.sites import in_turn, sites_by_share

SEED = 3026  # of the simulated training images
IMAGES = 90
UNSEEN = 9  # more images, to try it on
STEPS = 1200
CLASSES = {"tumour": 1, "cochlea": 2}
CLASS_WEIGHTS = (1.0, 10.0, 50.0)  # of background and the two
LEAST_DICE = 0.6  # tumours of a few voxels among them
FROZEN = Path(__file__).with_name("t2_segmenter.safetensors")


def true_t2_segmenter(folder: Path, steps: int = STEPS) -> nn.Module:
    """The segmenter, trained once (about 8 minutes on one core) and kept in `folder`.

    Raises:
        SystemExit: trained for `STEPS` or longer, it finds too little of a structure in images it has not seen.
    """
    path = folder / f"t2_segmenter_weighted_{steps}.safetensors"
    torch.manual_seed(SEED)
    network = _network()
    if path.is_file():
        load_model(network, path)
    else:
        images = [(image.volume, class_map(image.anatomy.labels)) for image in _images(range(IMAGES))]
        fit(network, images, steps, SEED, CLASS_WEIGHTS)
        if steps >= STEPS:
            _require_skill(network)
        with written_atomically(path) as temporary:
            save_model(network, str(temporary))
    return network.eval().requires_grad_(False)


def frozen_segmenter() -> nn.Module | None:
    """The segmenter that is shipped with the benchmark, the same for everybody; None if there is none yet."""
    if not FROZEN.is_file():
        return None
    network = _network()
    load_model(network, FROZEN)
    return network.eval().requires_grad_(False)


def class_map(labels: np.ndarray) -> np.ndarray:
    """CrossMoDA labels -> 0 background, 1 tumour (extra- and intra-meatal), 2 cochlea."""
    return np.array([0, 1, 1, 2], np.int16)[labels]


def dice_of(found: np.ndarray, truth: np.ndarray, name: str) -> float:
    """Dice of one of `CLASSES` in two class maps."""
    return dice(found == CLASSES[name], truth == CLASSES[name])


def _network() -> nn.Module:
    return small_unet(len(CLASSES) + 1, 8)


def _images(numbers: range) -> list[Image]:
    turns = in_turn(sites_by_share("target"), numbers.stop)
    return [
        image_of(SEED, number, turns[number][0], scanner=turns[number][1]) for number in tqdm(numbers, "true T2 images")
    ]


def _require_skill(network: nn.Module) -> None:
    network.eval()
    unseen = _images(range(IMAGES, IMAGES + UNSEEN))
    maps = [(segmented(network, image.volume), class_map(image.anatomy.labels)) for image in unseen]
    for name in CLASSES:
        found = float(np.mean([dice_of(*pair, name) for pair in maps]))
        print(f"true T2 segmenter: Dice {found:.3f} of {name} in {UNSEEN} true T2 images it has not seen")
        if found < LEAST_DICE:
            sys.exit(f"expected at least {LEAST_DICE}: a judge must find the {name} in true T2")


def main() -> None:
    """Train it, unless it is in the cache, and write the file that is shipped, in half precision."""
    network = true_t2_segmenter(Path(__file__).parents[1] / "cache")
    with written_atomically(FROZEN) as temporary:
        save_model(network.half(), str(temporary))


if __name__ == "__main__":
    main()
