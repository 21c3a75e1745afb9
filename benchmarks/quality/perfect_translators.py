"""What no translator can beat, and what one could do that knows the sub-dataset alone, or nothing.

Three perfect translators of a source to an exemplar, by the scanner's own equations. All are right in anatomy:
- rescan: the exemplar's very protocol once more, with noise and bias field of its own;
- sub_dataset: for all exemplars of a sub-dataset the same typical scan, of the one of its scanners that comes closest
  to all of them (a network per sub-dataset has one style);
- one_style: the same for all exemplars whatsoever.
Each is z-scored, mapped to its own intensity window and back through the exemplar's, as every translation is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import torch

from benchmarks.quality.simulated_pairs import Image, Pair, tensor
from intrastyler_nnunet.simulation.protocols import Scanner
from intrastyler_nnunet.simulation.scanner import scan_anatomy
from intrastyler_nnunet.translation.windows import from_generator_space, to_generator_space

RESCAN, SUB_DATASET, ONE_STYLE = "rescan", "sub_dataset", "one_style"
SEED = 11  # of the typical scans' noise and bias fields

Scanners = Mapping[tuple[str, str], Scanner]  # by sub-dataset and name


def perfect_translations(pairs: list[Pair], scanners: Scanners) -> dict[str, list[np.ndarray]]:
    """Images (x, y, z) of the three, in the z-score units of their exemplars, for every pair.

    Args:
        pairs: with exemplars of the `scanners`, at least one.
        scanners: the seen ones.
    """
    typical: dict[tuple[str, str], list[np.ndarray]] = {key: [] for key in scanners}
    errors = defaultdict(lambda: defaultdict(list))  # of a typical scanner, by sub-dataset
    scanned: dict[int, dict] = {}
    for pair in pairs:
        own = scanned.setdefault(id(pair.source), {})
        for (site, name), scanner in scanners.items():
            if (site, name) not in own:
                scan = scanner.typical(site, name, SEED)
                own[site, name] = Image(pair.source.anatomy, scan, scan_anatomy(pair.source.anatomy, scan))
            image = through_windows(own[site, name], pair.exemplar)
            typical[site, name].append(image)
            errors[site, name][pair.exemplar.scan.site].append(float(np.abs(image - pair.truth).mean()))
    single = min(errors, key=lambda key: np.mean(list(_chained(errors[key].values()))))
    sites = {pair.exemplar.scan.site for pair in pairs}
    best = {site: min(scanners, key=lambda key: np.mean(errors[key][site])) for site in sites}
    return {
        RESCAN: [rescanned(pair) for pair in pairs],
        SUB_DATASET: [typical[best[pair.exemplar.scan.site]][number] for number, pair in enumerate(pairs)],
        ONE_STYLE: typical[single],
    }


def rescanned(pair: Pair) -> np.ndarray:
    """The source's subject in the exemplar's protocol once more (x, y, z)."""
    scan, number = pair.exemplar.scan, 2
    again = pair.exemplar.again(pair.source.anatomy, number)
    return through_windows(Image(pair.source.anatomy, scan, again), pair.exemplar)


def through_windows(image: Image, exemplar: Image) -> np.ndarray:
    """An image (x, y, z) mapped from its own intensity window to the exemplar's."""
    mapped = to_generator_space(tensor(image.volume.astype(np.float32)), torch.tensor([image.window]))
    return from_generator_space(mapped, torch.tensor([exemplar.window]))[0, 0].numpy().transpose(2, 1, 0)


def _chained(lists: Iterable[list[float]]) -> list[float]:
    return [value for values in lists for value in values]
