"""How good are a generator's translations? Measures that clusters cannot fool, beside what is attainable.

    python -m benchmarks.quality.judge -g GENERATOR --seed S --pairs N -o FILE.json

N exemplars of the simulation of seed S, over sub-datasets by their shares and over scanners in turn, each with one of
N / 4 source subjects. Written by sub-dataset and for "all":
- error: mean absolute error to the truth (the source's subject in the exemplar's protocol), exemplar standard
  deviations; error_structures: the same in tumour and cochleae;
- orders_right: share of the pairs in which every two tissues that differ in the truth are in its order;
- slope, offset, within_r: style control within scanners (`within_scanners`), each by measure: contrast of tissues,
  noise and blur of the translation against the exemplar's;
- dice: of tumour and cochlea that a frozen segmenter of true T2 finds in the translation, against the source label.

Each beside three floors, perfect translators by the scanner's equations (`perfect_translators`): a rescan, a network
per sub-dataset, a single style. About 3 seconds a pair on one core. `-g` again for MultiNets: SITE=FILE, one for each
sub-dataset. Without `-g`: the floors alone.
"""

import argparse
from pathlib import Path

import numpy as np
from torch import nn
from tqdm import tqdm

from benchmarks.quality.perfect_translators import perfect_translations
from benchmarks.quality.segmenter_training import segmented
from benchmarks.quality.simulated_pairs import Pair, image_of, tissue_means, translated, wrong_orders
from benchmarks.quality.t2_segmenter import CLASSES, class_map, dice_of, frozen_segmenter
from benchmarks.quality.within_scanners import MeasuredStyles
from intrastyler_nnunet.errors import InputError, one_line_errors
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.simulation.protocols import SCANNERS
from intrastyler_nnunet.simulation.sites import SITES, in_turn, scanners_of, sites_by_share, sites_of
from intrastyler_nnunet.translation.translator import Translator

SEED, PAIRS = 2031, 120
PAIRS_PER_SOURCE = 4


def main() -> None:
    """Bad input ends it with one line and exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-g", dest="generators", metavar="[SITE=]FILE", action="append", default=[])
    parser.add_argument("--seed", type=int, default=SEED, help="of the simulation; not the one of the training")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="30 or more for a number that means something")
    parser.add_argument(
        "--acquisition", action=argparse.BooleanOptionalAction, default=None,
        help="whether translations get their exemplar's noise, sharpness and quantiles; none given: if trained so",
    )  # fmt: skip
    parser.add_argument("-o", dest="output", type=Path, required=True, help="result file")
    arguments = parser.parse_args()
    with one_line_errors("benchmarks.quality.judge"):
        translators = read_translators(arguments.generators)
        pairs = judged_pairs(arguments.seed, arguments.pairs)
        segmenter = frozen_segmenter()
        results = {"floors": floors(pairs, segmenter)}
        if translators:
            results = judged(translated_pairs(translators, pairs, arguments.acquisition), pairs, segmenter) | results
        about = {name: getattr(arguments, name) for name in ("seed", "pairs", "generators", "acquisition")}
        write_json(about | results, arguments.output)
        print_table(results)


def read_translators(names: list[str]) -> dict[str, Translator]:
    """Translators by sub-dataset; "" is for all that have none of their own.

    Raises:
        InputError: no such file or no generator; sub-datasets without a generator.
    """
    translators = {}
    for text in names:
        site, _, path = text.rpartition("=") if text.partition("=")[0] in SITES else ("", "", text)
        translators[site] = Translator(Generator.load(Path(path)))
    missing = [site for site in sites_of("target", seen_only=True) if not {site, ""} & translators.keys()]
    if translators and missing:
        raise InputError(f"-g: no generator for {', '.join(missing)}, expected one for each sub-dataset or for all")
    return translators


def judged_pairs(seed: int, count: int, scale: str = "small") -> list[Pair]:
    """`count` exemplars, over sub-datasets by their shares and over scanners in turn, with a source subject each.

    Tumours have the typical T2, which no ceT1 image tells.

    Raises:
        InputError: fewer than 2 pairs.
    """
    if count < 2:
        raise InputError(f"--pairs {count}: expected 2 or more")
    sources = [
        image_of(seed, number, site, True, scale, scanner)
        for number, (site, scanner) in enumerate(in_turn(sites_by_share("source"), -(-count // PAIRS_PER_SOURCE)))
    ]
    pairs = []
    for number, (site, scanner) in enumerate(tqdm(in_turn(sites_by_share("target"), count), "exemplars")):
        exemplar = image_of(seed, len(sources) + number, site, True, scale, scanner)
        source = sources[number % len(sources)]
        pairs.append(Pair(source, exemplar, exemplar.rescan(source.anatomy, 1)))
    return pairs


def translated_pairs(
    translators: dict[str, Translator], pairs: list[Pair], acquisition: bool | None = None
) -> list[np.ndarray]:
    """Every pair's source by the translator of its exemplar's sub-dataset, or by the one of "": images (x, y, z).

    `acquisition`: whether they are acquired as their exemplar; None: if the generator was trained for it.
    """
    return [
        translated(translators.get(pair.exemplar.scan.site) or translators[""], pair.source, pair.exemplar, acquisition)
        for pair in tqdm(pairs, "translations")
    ]


def floors(pairs: list[Pair], segmenter: nn.Module | None) -> dict[str, dict]:
    """The same measures of the three perfect translators."""
    scanners = {key: SCANNERS[key[1]] for key in scanners_of("target", seen_only=True)}
    return {name: judged(made, pairs, segmenter) for name, made in perfect_translations(pairs, scanners).items()}


def judged(images: list[np.ndarray], pairs: list[Pair], segmenter: nn.Module | None) -> dict[str, dict]:
    """All measures of translations (x, y, z) in their exemplars' z-score units, by sub-dataset and for "all".

    Without a segmenter, "dice" is left out.
    """
    sites = np.array([pair.exemplar.scan.site for pair in pairs])
    chosen = {site: sites == site for site in sorted(set(sites))} | {"all": np.full(len(sites), True)}
    differences = [np.abs(image - pair.truth) for image, pair in zip(images, pairs, strict=True)]
    structures = [pair.source.anatomy.labels > 0 for pair in pairs]
    values = {
        "error": np.array([difference.mean() for difference in differences]),
        "error_structures": np.array([d[mask].mean() for d, mask in zip(differences, structures, strict=True)]),
        "orders_right": np.array([orders_right(image, pair) for image, pair in zip(images, pairs, strict=True)]),
    }
    dice = {}
    if segmenter is not None:
        maps = [
            (segmented(segmenter, i), class_map(p.source.anatomy.labels)) for i, p in zip(images, pairs, strict=True)
        ]
        dice = {name: np.array([dice_of(*both, name) for both in maps]) for name in CLASSES}
    styles = MeasuredStyles.of(images, pairs)
    return {
        site: {
            **{name: float(column[rows].mean()) for name, column in values.items()},
            **styles[rows].control(),
            **({"dice": {name: float(column[rows].mean()) for name, column in dice.items()}} if dice else {}),
        }
        for site, rows in chosen.items()
    }


def orders_right(image: np.ndarray, pair: Pair) -> bool:
    """Whether every two tissues that differ in the truth are in its order."""
    anatomy = pair.source.anatomy
    return not wrong_orders(tissue_means(pair.truth, anatomy), tissue_means(image, anatomy))


def print_table(results: dict[str, dict]) -> None:
    """A line for each sub-dataset of each translator."""
    floors = results["floors"]
    made = {name: result for name, result in results.items() if name != "floors"}
    print(f"{'':22} {'':10} error structures orders  within r  slope")
    for translator, by_site in (*floors.items(), *([("translations", made)] if made else [])):
        for site, row in by_site.items():
            r, slope = (np.mean(list(row[name].values())) for name in ("within_r", "slope"))
            print(
                f"{translator:14} {site:18} {row['error']:8.3f} {row['error_structures']:10.3f} "
                f"{row['orders_right']:6.2f} {r:9.2f} {slope:6.2f}"
            )


if __name__ == "__main__":
    main()
