"""How good a synthesizer's translations are: what the judge says of pairs that all generators of all seeds share."""

from functools import cache

from benchmarks.comparison.endpoints import TRANSLATIONS
from benchmarks.comparison.plan import Scale, Synthesizer
from benchmarks.comparison.results import Results
from benchmarks.comparison.run import Run
from benchmarks.quality.judge import SEED, floors, judged, judged_pairs, translated_pairs
from benchmarks.quality.simulated_pairs import Pair
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.translation.translator import Translator

FLOORS = "floors"  # a table: perfect translators


def judge_floors(scale: Scale, results: Results) -> None:
    """Add the row of the perfect translators."""
    row = {"floors": floors(common_pairs(scale.pairs, scale.grid), None)}
    results.put([row], table=FLOORS)


def judge_translations(run: Run, synthesizer: Synthesizer, names: list[str | None], results: Results) -> None:
    """Add the row of a synthesizer.

    Args:
        run: of simulated data.
        synthesizer: its generators are pretrained.
        names: the sub-dataset of each generator; None: of all.
        results: the row is added.
    """
    pairs = common_pairs(run.scale.pairs, run.scale.grid)
    translators = {name or "": Translator(Generator.load(run.generator(synthesizer, name))) for name in names}
    row = {"judged": judged(translated_pairs(translators, pairs), pairs, None)}
    results.put([row], table=TRANSLATIONS, method=synthesizer.key, seed=run.seed)


@cache
def common_pairs(count: int, grid: str) -> list[Pair]:
    """The judge's pairs; they take a few minutes, and once in a process is enough."""
    return judged_pairs(SEED, count, grid)
