"""Is a generator good? Style and anatomy of its translations of simulated subjects it has never seen.

    python -m benchmarks.quality.synthesis_quality [--generator NAME=FILE ...]

It takes 2 minutes a generator on one core, after 8 minutes for the segmenter, once.

12 source subjects, each with an exemplar of every seen target site (36 exemplars, 36 pairs). Of each generator
- style encoder, if any: ROC-AUC of patch pairs, same image against another site; clusters of style vectors by site;
- style control, judged without the encoder: Pearson's r over the exemplars between tissue contrast, noise and blur of
  the translation and of the exemplar (`contrast_measures`);
- mean absolute error to the truth (the source's subject in the exemplar's protocol), exemplar standard deviations;
- share of the pairs in which every two tissues that differ in the truth are in its order;
- Dice of tumour and cochlea that a segmenter trained on true T2 finds in the translation, against the source label.

For scale, two rows without a generator: "second_scan" is the truth in place of a translation (its error: to one more
scan of the same); "only SITE" is the source's subject as one image of that site shows it, whatever the exemplar.
The paper's competitors (methods unified, nodiverse) are compared by `benchmarks.comparison.ablation` and
`benchmarks.comparison`.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from torch import nn
from tqdm import tqdm

from benchmarks.quality.contrast_measures import style_control
from benchmarks.quality.segmenter_training import segmented
from benchmarks.quality.simulated_pairs import (
    TISSUES,
    Pair,
    held_out_pairs,
    image_of,
    in_one_style,
    tissue_means,
    translated,
    wrong_orders,
)
from benchmarks.quality.style_space import style_space
from benchmarks.quality.t2_segmenter import CLASSES, STEPS, class_map, dice_of, true_t2_segmenter
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.simulation.sites import sites_of
from intrastyler_nnunet.translation.translator import Translator

SEED = 2026  # of the simulation; not the one of any training
SOURCES = 12
SECOND_SCAN = "second_scan"


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", metavar="NAME=FILE", action="append", help="repeat it; default: the shipped")
    folder = Path(__file__).parents[1]
    parser.add_argument("--sources", type=int, default=SOURCES, help="source subjects; fewer for a quick look")
    parser.add_argument("--segmenter-steps", type=int, default=STEPS, help="fewer for a quick look")
    parser.add_argument("--cache", type=Path, default=folder / "cache", help="where the segmenter is kept")
    parser.add_argument("-o", dest="output", type=Path, default=folder / "results" / "synthesis_quality.json")
    arguments = parser.parse_args()
    named = arguments.generator or [f"{shipped_generator().stem}={shipped_generator()}"]
    segmenter = true_t2_segmenter(arguments.cache, arguments.segmenter_steps)
    pairs = held_out_pairs(SEED, arguments.sources)
    results = {SECOND_SCAN: score_second_scan(pairs, segmenter)} | score_one_style(pairs, segmenter)
    for name, _, path in (text.partition("=") for text in named):
        results[name] = score(Translator(Generator.load(path)), pairs, segmenter, name)
    print_table(results)
    write_json({"seed": SEED, "pairs": len(pairs), "generators": results}, arguments.output)


def score(translator: Translator, pairs: list[Pair], segmenter: nn.Module, name: str) -> dict:
    """All measures of one generator, and the rows of its pairs."""
    images = [translated(translator, pair.source, pair.exemplar) for pair in tqdm(pairs, f"{name}: translations")]
    truths = [pair.truth for pair in pairs]
    measures = _judge(images, truths, pairs, segmenter)
    if translator.generator.style_encoder is not None:
        measures["style_encoder"] = style_space(translator, [pair.exemplar for pair in pairs], SEED)
    return measures


def score_second_scan(pairs: list[Pair], segmenter: nn.Module) -> dict:
    """The measures of the truth itself."""
    again = [pair.exemplar.rescan(pair.source.anatomy, 2) for pair in pairs]
    return _judge([pair.truth for pair in pairs], again, pairs, segmenter)


def score_one_style(pairs: list[Pair], segmenter: nn.Module) -> dict[str, dict]:
    """Measures of the source's subjects in one true style, another subject's of each site: {"only SITE": measures}."""
    truths = [pair.truth for pair in pairs]
    unused = 2 * len(pairs)  # no pair has a subject of this number or a greater one
    images = [image_of(SEED, unused + n, site, True) for n, site in enumerate(sites_of("target", seen_only=True))]
    return {f"only {i.scan.site}": _judge(in_one_style(pairs, i), truths, pairs, segmenter) for i in images}


def _judge(images: list[np.ndarray], truths: list[np.ndarray], pairs: list[Pair], segmenter: nn.Module) -> dict:
    rows = [_row(*triple, segmenter) for triple in zip(images, truths, pairs, strict=True)]
    return {
        "style_control": style_control(images, pairs),
        "error": float(np.mean([row["error"] for row in rows])),
        "orders_right": float(np.mean([not row["wrong_orders"] for row in rows])),
        "wrong_orders": dict(Counter(order for row in rows for order in row["wrong_orders"])),
        "dice": {name: float(np.mean([row["dice"][name] for row in rows])) for name in CLASSES},
        "tissue_means": {"truth": _mean_tissues(truths, pairs), "translated": _mean_tissues(images, pairs)},
        "rows": rows,
    }


def _row(image: np.ndarray, truth: np.ndarray, pair: Pair, segmenter: nn.Module) -> dict:
    anatomy = pair.source.anatomy
    found, labels = segmented(segmenter, image), class_map(anatomy.labels)
    return {
        "source_site": pair.source.scan.site, "exemplar_site": pair.exemplar.scan.site,
        "error": float(np.abs(image - truth).mean()),
        "wrong_orders": wrong_orders(tissue_means(truth, anatomy), tissue_means(image, anatomy)),
        "dice": {name: dice_of(found, labels, name) for name in CLASSES},
    }  # fmt: skip


def _mean_tissues(images: list[np.ndarray], pairs: list[Pair]) -> dict[str, float]:
    means = [tissue_means(image, pair.source.anatomy) for image, pair in zip(images, pairs, strict=True)]
    return {name: float(np.nanmean([row[name] for row in means])) for name in TISSUES}


def print_table(results: dict[str, dict]) -> None:
    """One line per measure, one column per generator."""
    lines = {
        "ROC-AUC of patch pairs": lambda r: (r.get("style_encoder") or {}).get("roc_auc"),
        "adjusted Rand index": lambda r: (r.get("style_encoder") or {}).get("adjusted_rand_index"),
        "style control, mean r": lambda r: r["style_control"]["mean"],
        "error": lambda r: r["error"],
        "orders right": lambda r: r["orders_right"],
        **{f"Dice of {name}": lambda r, name=name: r["dice"][name] for name in CLASSES},
    }
    print(f"{'':24}", *(f"{name:>20}" for name in results))
    for title, value in lines.items():
        values = [value(result) for result in results.values()]
        print(f"{title:24}", *(f"{'-' if v is None else format(v, '.3f'):>20}" for v in values))


if __name__ == "__main__":
    main()
