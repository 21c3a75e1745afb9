"""How good a synthesizer's translations are, on simulated subjects that no data set has."""

import numpy as np

from benchmarks.comparison.plan import Synthesizer
from benchmarks.comparison.results import Results
from benchmarks.comparison.run import Run
from benchmarks.quality.contrast_measures import style_control
from benchmarks.quality.simulated_pairs import Pair, held_out_pairs, tissue_means, translated, wrong_orders
from benchmarks.quality.synthesis_quality import SEED
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.translation.translator import Translator

UNTRANSLATED = "none"  # the source image itself, for comparison


def score_translations(run: Run, synthesizer: Synthesizer, names: list[str | None], results: Results) -> None:
    """Add the row of a synthesizer, and of the source images themselves.

    Args:
        run: of simulated data.
        synthesizer: its generators are pretrained.
        names: the sub-domain (site) of each generator; None: all sites'.
        results: rows are added.
    """
    pairs = held_out_pairs(SEED, run.scale.held_out, run.scale.grid)
    translators = {name: Translator(Generator.load(run.generator(synthesizer, name))) for name in names}
    images = [_translation(translators, pair) for pair in pairs]
    for key, made in ((UNTRANSLATED, [pair.source.volume for pair in pairs]), (synthesizer.key, images)):
        results.put([judged(made, pairs)], table="synthesis", seed=run.seed, synthesizer=key)


def judged(images: list[np.ndarray], pairs: list[Pair]) -> dict[str, float]:
    """Measures of translations (x, y, z) in their exemplars' z-score units.

    error: mean absolute error to the truth, the source's subject in the exemplar's protocol.
    structure_error: the same over tumour and cochleae alone.
    orders_right: share of translations in which every two tissues that differ in the truth are in its order.
    style_control: Pearson's r over exemplars between tissue contrast, noise and blur of translation and exemplar.
    """
    differences = [np.abs(image - pair.truth) for image, pair in zip(images, pairs, strict=True)]
    structures = [pair.source.anatomy.labels > 0 for pair in pairs]
    orders = [
        wrong_orders(tissue_means(pair.truth, pair.source.anatomy), tissue_means(image, pair.source.anatomy))
        for image, pair in zip(images, pairs, strict=True)
    ]
    return {
        "error": float(np.mean([difference.mean() for difference in differences])),
        "structure_error": float(np.mean([d[mask].mean() for d, mask in zip(differences, structures, strict=True)])),
        "orders_right": float(np.mean([not wrong for wrong in orders])),
        "style_control": style_control(images, pairs)["mean"],
    }


def _translation(translators: dict[str | None, Translator], pair: Pair) -> np.ndarray:
    """By the generator of the exemplar's site, where each site has one."""
    site = pair.exemplar.scan.site
    return translated(translators[site if site in translators else None], pair.source, pair.exemplar)
