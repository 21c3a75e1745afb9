"""Is the translation closer to the truth than the source, and than the style of another site? (simulated data)

`python -m benchmarks.translation_truth`: subjects no generator was trained on are rendered in ceT1 and in the very
protocol of an exemplar. The generator sees the ceT1 and the exemplar (another subject), never the truth.

Per subject, the mean absolute error over the field of view, which lies inside the head, to the subject's own T2,
all in the exemplar's z-score units, of
- the translation in the exemplar's style,
- the source image (z-scored as nnU-Net would present it),
- the translation in the style of an exemplar of another site.

And the order of tissues: of every two tissues whose mean intensities differ in the truth by at least `MARGIN`, the
brighter one should be the brighter one in the translation, too.
"""
import argparse
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.networks.generator import Generator
from intrastyler_nnunet.nnunet.translator import Translator
from intrastyler_nnunet.pretrained_generators import shipped_generator
from intrastyler_nnunet.simulation.anatomy import build_anatomy
from intrastyler_nnunet.simulation.plan import SCALES, sites_of
from intrastyler_nnunet.simulation.scanner import render, scan_anatomy
from intrastyler_nnunet.simulation.sites import sample_scan
from intrastyler_nnunet.simulation.subject import sample_subject
from intrastyler_nnunet.simulation.tissues import Tissue
from intrastyler_nnunet.styles.bank import exemplar_style
from intrastyler_nnunet.styles.windows import intensity_window

TISSUES = {
    "csf": (Tissue.CSF,), "brain": (Tissue.GREY_MATTER, Tissue.WHITE_MATTER), "bone": (Tissue.BONE_OR_AIR,),
    "fat": (Tissue.FAT,), "tumour": (Tissue.TUMOUR,), "cochlea": (),
}  # fmt: skip

MARGIN = 0.3  # exemplar standard deviations


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-g", dest="generator", type=Path, default=None, help="default: the shipped generator")
    parser.add_argument("--subjects", type=int, default=20, help="number of subjects")
    parser.add_argument("--seed", type=int, default=2026, help="simulation seed; not the one of the training data")
    default_output = Path(__file__).parent / "results" / "translation_truth.json"
    parser.add_argument("-o", dest="output", type=Path, default=default_output, help="result file")
    arguments = parser.parse_args()
    path = arguments.generator or shipped_generator("simcrossmoda_small")
    translator = Translator(Generator.load(path))
    rows = [compare(translator, arguments.seed, index) for index in range(arguments.subjects)]
    result = {"generator": path.name, "seed": arguments.seed, **summary(rows), "subjects": rows}
    write_json(result, arguments.output)
    print_summary(result)


def compare(translator: Translator, seed: int, index: int) -> dict:
    """Errors and tissue means for one subject, an exemplar, and an exemplar of another site."""
    grid = SCALES["small"].grid
    rng = np.random.default_rng([seed, index, 9])
    source_site = rng.choice(sites_of("source", seen_only=True))
    site, other_site = rng.choice(sites_of("target", seen_only=True), size=2, replace=False)
    protocol, other_protocol = sample_scan(str(site), rng), sample_scan(str(other_site), rng)
    anatomy = build_anatomy(sample_subject(seed, 3 * index), grid)
    exemplar = render(sample_subject(seed, 3 * index + 1), protocol, grid)
    other = render(sample_subject(seed, 3 * index + 2), other_protocol, grid)

    source = _z_scored(scan_anatomy(anatomy, sample_scan(str(source_site), rng)))
    # The truth has its own noise, as a second scan of the same protocol would.
    truth_scan = type(protocol)(**{**vars(protocol), "seed": protocol.seed + 1})
    truth = (scan_anatomy(anatomy, truth_scan) - exemplar.mean()) / exemplar.std()
    translated = _translated(translator, source, anatomy.labels, _z_scored(exemplar))
    tissue_means = {"truth": _tissue_means(truth, anatomy), "translated": _tissue_means(translated, anatomy)}
    in_other_style = _translated(translator, source, anatomy.labels, _z_scored(other))
    return {
        "source_site": str(source_site), "exemplar_site": str(site), "other_site": str(other_site),
        "translated": _error(translated, truth), "source": _error(source, truth),
        "other_style": _error(in_other_style, truth),
        "tissue_means": tissue_means, "wrong_orders": wrong_orders(**tissue_means),
    }  # fmt: skip


def wrong_orders(truth: dict[str, float], translated: dict[str, float]) -> list[str]:
    """Pairs "brighter > darker" of tissues that hold in the truth with a margin and not in the translation."""
    wrong = []
    for first, second in combinations(TISSUES, 2):
        brighter, darker = (first, second) if truth[first] > truth[second] else (second, first)
        # A tissue that a subject lacks has no mean (nan) and compares as False.
        if truth[brighter] - truth[darker] >= MARGIN and translated[brighter] <= translated[darker]:
            wrong.append(f"{brighter} > {darker}")
    return wrong


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


def _translated(translator: Translator, source: np.ndarray, labels: np.ndarray, exemplar: np.ndarray) -> np.ndarray:
    """`source` (x, y, z), z-scored, in the style of `exemplar`, in the exemplar's z-score units."""
    window = intensity_window(exemplar)
    patch = translator.generator.metadata.style_patch_size
    style, _ = exemplar_style(translator.generator, _tensor(exemplar)[0], window, patch)
    translated = translator(
        _tensor(source), torch.tensor([intensity_window(source)]), style[None], torch.tensor([window]),
        labels=_tensor(labels.astype(np.int16)),
    )  # fmt: skip
    return translated[0, 0].numpy().transpose(2, 1, 0)


def _tensor(volume: np.ndarray) -> torch.Tensor:
    """(x, y, z) -> (1, 1, z, y, x), nnU-Net's axis order."""
    return torch.from_numpy(np.ascontiguousarray(volume.transpose(2, 1, 0)))[None, None]


def _z_scored(image: np.ndarray) -> np.ndarray:
    """nnU-Net's ZScoreNormalization over the whole image."""
    return (image - image.mean()) / image.std()


def _error(image: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(image - truth).mean())


def _tissue_means(image: np.ndarray, anatomy) -> dict[str, float]:
    masks = {name: np.isin(anatomy.tissue, classes) for name, classes in TISSUES.items()}
    masks["cochlea"] = anatomy.labels == 3
    return {name: float(image[mask].mean()) if mask.any() else float("nan") for name, mask in masks.items()}


if __name__ == "__main__":
    main()
