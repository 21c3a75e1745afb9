"""Does the simulation have the paper's premise: sub-datasets that are coarser than styles?

    python -m benchmarks.comparison.premise

Measured on the simulation as it is and on its former target protocols (`FORMER`: one scanner at 3 T in each of three
sub-datasets of equal size), on the same subjects, 40 % of the images from sub-dataset m:
- site_share: how much of the variance of each contrast measure the sub-dataset explains (eta squared), and the scanner;
- classifier_accuracy: how often linear discriminants of the six measures name the sub-dataset of an image that they
  were not fitted to (chance: the largest sub-dataset's share);
- error: mean absolute error to the truth, in exemplar standard deviations, of the three perfect translators
  (`benchmarks.quality.perfect_translators`), by sub-dataset, over the whole image and in tumour and cochleae;
- headroom: error of the perfect network per sub-dataset minus that of the perfect exemplar translation, which is all
  that exemplars can gain over sub-dataset labels.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from benchmarks.quality.contrast_measures import MEASURES, contrast_measures
from benchmarks.quality.perfect_translators import RESCAN, SUB_DATASET, Scanners, perfect_translations
from benchmarks.quality.simulated_pairs import Image, Pair, anatomy_of, image_of
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.simulation.patient import Anatomy
from intrastyler_nnunet.simulation.plan import SCALES
from intrastyler_nnunet.simulation.protocols import SCANNERS, Scanner
from intrastyler_nnunet.simulation.scanner import render, scan_anatomy
from intrastyler_nnunet.simulation.sites import in_turn, scanners_of, sites_by_share
from intrastyler_nnunet.simulation.subject import sample_subject

SEED = 2030  # of the simulation; not the one of any training
EXEMPLARS, SOURCES = 60, 6
TIMED = 12  # volumes
TISSUES_AND_NOISE = ("csf", "brain", "tumour", "bone", "noise")

FORMER: Scanners = {
    ("target_a", "balanced"): Scanner(
        "balanced_ssfp", 3.0, tr=(6, 11), te=(3, 5), flip=(50, 75), in_plane=(0.5, 0.8), slice_thickness=(0.8, 1.3),
        snr=(7, 14), bias=(0.05, 0.15), flow_signal=(0.5, 1.0), gain=(1500, 3500),
    ),
    ("target_b", "turbo_late"): Scanner(
        "turbo_spin_echo", 3.0, tr=(2500, 4500), te=(150, 250), flip=(90, 90), in_plane=(0.6, 1.0),
        slice_thickness=(1.0, 1.8), snr=(5, 10), bias=(0.1, 0.22), flow_signal=(0.0, 0.15), gain=(500, 1200),
    ),
    ("target_c", "turbo_early"): Scanner(
        "turbo_spin_echo", 3.0, tr=(3500, 6000), te=(60, 110), flip=(90, 90), in_plane=(0.9, 1.5),
        slice_thickness=(1.8, 3.2), snr=(14, 30), bias=(0.08, 0.2), flow_signal=(0.0, 0.15), gain=(700, 1500),
    ),
}  # fmt: skip


def main() -> None:
    """Measure both, print a table, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exemplars", type=int, default=EXEMPLARS, help="fewer for a quick look")
    output = Path(__file__).parents[1] / "results" / "premise.json"
    parser.add_argument("-o", dest="output", type=Path, default=output, help="result file")
    arguments = parser.parse_args()
    source_turns = in_turn(sites_by_share("source"), SOURCES)
    sources = [image_of(SEED, number, site, True, scanner=name) for number, (site, name) in enumerate(source_turns)]
    turns = in_turn(sites_by_share("target"), arguments.exemplars)
    new = {key: SCANNERS[key[1]] for key in scanners_of("target", seen_only=True)}
    seconds = [seconds_of(number, new[turns[number]], turns[number]) for number in range(min(TIMED, len(turns)))]
    anatomies = [
        anatomy_of(SEED, SOURCES + number, True, "small") for number in tqdm(range(arguments.exemplars), "subjects")
    ]
    former_turns = [list(FORMER)[number % len(FORMER)] for number in range(arguments.exemplars)]
    results = {
        "simulation": premise(sources, anatomies, turns, new),
        "former": premise(sources, anatomies, former_turns, FORMER),
    }
    print_table(results)
    about = {"seed": SEED, "exemplars": arguments.exemplars, "sources": SOURCES}
    timing = {"seconds_per_volume": round(float(np.median(seconds)), 3)}
    write_json(about | results["simulation"] | timing | {"former": results["former"]}, arguments.output)


def seconds_of(number: int, scanner: Scanner, key: tuple[str, str]) -> float:
    """Processor seconds of a volume from subject to image: the least of three, which other processes slow least."""
    times = []
    for _ in range(3):
        start = time.process_time()
        render(sample_subject(SEED, number), scanner.sample(np.random.default_rng(number), *key), SCALES["small"].grid)
        times.append(time.process_time() - start)
    return min(times)


def premise(
    sources: list[Image], anatomies: list[Anatomy], turns: list[tuple[str, str]], scanners: Scanners
) -> dict[str, dict | float]:
    """All that is measured of exemplars of the `anatomies` on the scanners in `turns`."""
    pairs = []
    for number, (anatomy, key) in enumerate(zip(anatomies, turns, strict=True)):
        scan = scanners[key].sample(np.random.default_rng([SEED, number, 1]), *key)
        source, exemplar = sources[number % len(sources)], Image(anatomy, scan, scan_anatomy(anatomy, scan))
        pairs.append(Pair(source, exemplar, exemplar.rescan(source.anatomy, 1)))
    measured = [contrast_measures(p.exemplar.volume, p.exemplar.window, p.exemplar.anatomy) for p in pairs]
    values = np.array([[row[name] for name in MEASURES] for row in measured])
    sites, names = (np.array([getattr(p.exemplar.scan, kind) for p in pairs]) for kind in ("site", "scanner"))
    share = shares(values, sites)
    share["mean_of_tissues_and_noise"] = float(np.mean([share[name] for name in TISSUES_AND_NOISE]))
    errors = errors_by_site(pairs, scanners)
    return {
        "site_share": share
        | {"mean_of_tissues_and_noise": float(np.mean([share[name] for name in TISSUES_AND_NOISE]))},
        "scanner_share": shares(values, names),
        "classifier_accuracy": classifier_accuracy(values, sites),
        "classifier_chance": float(max(np.mean(sites == site) for site in set(sites))),
        "error": errors,
        "headroom": {
            site: {
                region: errors[site][SUB_DATASET][region] - errors[site][RESCAN][region]
                for region in ("image", "structures")
            }
            for site in errors
        },
    }


def shares(values: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Eta squared of every measure: variance between `groups` (n,) as a part of the variance of `values` (n, 6)."""
    result = {}
    for name, column in zip(MEASURES, values.T, strict=True):
        known = np.isfinite(column)
        column, labels = column[known], groups[known]
        within = sum(((column[labels == label] - column[labels == label].mean()) ** 2).sum() for label in set(labels))
        result[name] = float(1 - within / ((column - column.mean()) ** 2).sum())
    return result


def classifier_accuracy(values: np.ndarray, sites: np.ndarray) -> float:
    """Share of images whose sub-dataset is named rightly by five-fold cross-validation."""
    known = np.isfinite(values).all(axis=1)
    classifier = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
    return float(np.mean(cross_val_predict(classifier, values[known], sites[known], cv=5) == sites[known]))


def errors_by_site(pairs: list[Pair], scanners: Scanners) -> dict[str, dict[str, dict[str, float]]]:
    """Mean absolute errors of the perfect translators: by sub-dataset and "all", translator and region."""
    sites = np.array([pair.exemplar.scan.site for pair in pairs])
    chosen = {site: sites == site for site in sorted(set(sites))} | {"all": np.full(len(sites), True)}
    result: dict[str, dict] = {site: {} for site in chosen}
    for translator, images in perfect_translations(pairs, scanners).items():
        differences = [np.abs(image - pair.truth) for image, pair in zip(images, pairs, strict=True)]
        structures = [pair.source.anatomy.labels > 0 for pair in pairs]
        whole = np.array([d.mean() for d in differences])
        inside = np.array([d[mask].mean() for d, mask in zip(differences, structures, strict=True)])
        for site, rows in chosen.items():
            result[site][translator] = {
                "image": float(whole[rows].mean()),
                "structures": float(inside[rows].mean()),
            }
    return result


def print_table(results: dict[str, dict]) -> None:
    """A column per simulation."""
    print(f"{'':42}", *(f"{name:>12}" for name in results))
    lines = {f"sub-dataset's share of {name}": ("site_share", name) for name in results["simulation"]["site_share"]}
    lines["a classifier's accuracy"] = ("classifier_accuracy",)
    for title, path in lines.items():
        print(f"{title:42}", *(f"{_at(result, path):12.2f}" for result in results.values()))
    for name, result in results.items():
        print(f"\n{name}: error in the image / in tumour and cochleae")
        for site, translators in result["error"].items():
            cells = (f"{translator} {e['image']:.3f} / {e['structures']:.3f}" for translator, e in translators.items())
            print(
                f"{site:10}", *(f"{cell:>28}" for cell in cells), f"   headroom {result['headroom'][site]['image']:.3f}"
            )


def _at(result: dict, path: tuple[str, ...]) -> float:
    for key in path:
        result = result[key]
    return result


if __name__ == "__main__":
    main()
