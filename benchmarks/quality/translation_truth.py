"""Is the translation closer to the truth than the source, and than the style of another site? (simulated data)

`python -m benchmarks.quality.translation_truth`: subjects no generator was trained on are rendered in ceT1 and in the
very protocol of an exemplar. The generator sees the ceT1 and the exemplar (another subject), never the truth.

Per subject, the mean absolute error over the field of view, which lies inside the head, to the subject's own T2,
all in the exemplar's z-score units, of
- the translation in the exemplar's style,
- the source image (z-scored as nnU-Net would present it),
- the translation in the style of an exemplar of another site.

And the order of tissues: of every two tissues whose mean intensities differ in the truth by a margin
(`simulated_pairs`), the brighter one should be the brighter one in the translation, too.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.quality.simulated_pairs import TISSUES, image_of, tissue_means, translated, wrong_orders
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.simulation.sites import sites_of
from intrastyler_nnunet.translation.translator import Translator


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-g", dest="generator", type=Path, default=None, help="default: the shipped generator")
    parser.add_argument("--subjects", type=int, default=100, help="number of subjects")
    parser.add_argument("--seed", type=int, default=2026, help="simulation seed; not the one of the training data")
    default_output = Path(__file__).parents[1] / "results" / "translation_truth.json"
    parser.add_argument("-o", dest="output", type=Path, default=default_output, help="result file")
    arguments = parser.parse_args()
    path = arguments.generator or shipped_generator()
    translator = Translator(Generator.load(path))
    rows = [compare(translator, arguments.seed, index) for index in range(arguments.subjects)]
    result = {"generator": path.name, "seed": arguments.seed, **summary(rows), "subjects": rows}
    write_json(result, arguments.output)
    print_summary(result)


def compare(translator: Translator, seed: int, index: int) -> dict:
    """Errors and tissue means for one subject, an exemplar, and an exemplar of another site."""
    rng = np.random.default_rng([seed, index, 9])
    source_site = str(rng.choice(sites_of("source", seen_only=True)))
    site, other_site = map(str, rng.choice(sites_of("target", seen_only=True), size=2, replace=False))
    source, exemplar, other = (
        image_of(seed, 3 * index + number, name) for number, name in enumerate((source_site, site, other_site))
    )
    truth = exemplar.rescan(source.anatomy, 1)
    result = translated(translator, source, exemplar)
    means = {"truth": tissue_means(truth, source.anatomy), "translated": tissue_means(result, source.anatomy)}
    return {
        "source_site": source_site, "exemplar_site": site, "other_site": other_site,
        "translated": _error(result, truth), "source": _error(source.volume, truth),
        "other_style": _error(translated(translator, source, other), truth),
        "tissue_means": means, "wrong_orders": wrong_orders(**means),
    }  # fmt: skip


def summary(rows: list[dict]) -> dict:
    """Means of the errors, and how often the translation was the closest."""
    means = {name: float(np.mean([row[name] for row in rows])) for name in ("translated", "source", "other_style")}
    closer = {
        f"closer_than_{name}": sum(row["translated"] < row[name] for row in rows) for name in ("source", "other_style")
    }
    tissues = {
        kind: {t: float(np.nanmean([row["tissue_means"][kind][t] for row in rows])) for t in TISSUES}
        for kind in ("truth", "translated")
    }
    right = sum(not row["wrong_orders"] for row in rows)
    return {"mean_absolute_error": means, **closer, "all_orders_right": right, "tissue_means": tissues}


def print_summary(result: dict) -> None:
    """Print what `summary` computed."""
    count = len(result["subjects"])
    for name, error in result["mean_absolute_error"].items():
        print(f"mean absolute error of {name:12} {error:.3f} exemplar standard deviations")
    print(f"translation closer than source: {result['closer_than_source']} of {count} subjects")
    print(f"translation closer than in another site's style: {result['closer_than_other_style']} of {count} subjects")
    wrong = Counter(order for row in result["subjects"] for order in row["wrong_orders"])
    print(f"every order of tissues right: {result['all_orders_right']} of {count} subjects; wrong: {dict(wrong)}")
    for tissue in TISSUES:
        truth, translated = (result["tissue_means"][kind][tissue] for kind in ("truth", "translated"))
        print(f"mean intensity of {tissue:8} truth {truth:6.2f}  translated {translated:6.2f}")


def _error(image: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(image - truth).mean())


if __name__ == "__main__":
    main()
