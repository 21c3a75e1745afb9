"""The table of the ceiling, and what it says a comparison can show."""

from benchmarks.comparison.endpoints import SEEN, SEGMENTATION, Endpoint
from benchmarks.comparison.plan import METHODS
from benchmarks.comparison.results import Results
from benchmarks.comparison.statistics import fit_mixed_model, half_width
from benchmarks.comparison.tables import FLOOR_NAMES, cost, means, number, table
from benchmarks.comparison.verdicts import values_of

SEED_COUNTS = (3, 10)
ENDPOINTS = (
    *(Endpoint(SEGMENTATION, "Dice", part, True) for part in (SEEN, "interpolation", "extrapolation")),
    Endpoint(SEGMENTATION, "worst decile of Dice", SEEN, True),
    Endpoint(SEGMENTATION, "failures", SEEN, False),
    Endpoint(SEGMENTATION, "intra-meatal Dice", SEEN, True),
    Endpoint(SEGMENTATION, "boundary ASSD (mm)", SEEN, False),
)
READING = """Segmenters trained on perfect translations and tested on true T2: mean over seeds and standard deviation
of a network. No translator can do better than the first line; the second is what knowing the sub-dataset alone is
worth, and the third what knowing nothing is. What lies between them is all that a comparison of segmenters has to
find. `python -m benchmarks.comparison.ceiling`"""
SEPARABLE = """How large a difference must be before its 95 % interval excludes 0, with as many seeds of each of the
three kinds; of a ladder of all methods, with the same deviation, in brackets. To find a difference of that size four
times in five it must be 1.4 times as large."""


def ceiling_sections(results: Results) -> list[str]:
    """Of the ceiling's result file; nothing without results."""
    if not results.rows(SEGMENTATION):
        return []
    sections = ["## What a comparison can show", READING, means(results, ENDPOINTS, FLOOR_NAMES)]
    if separable := _separable(results):
        sections += [SEPARABLE, separable]
    return [*sections, cost(results.rows("cost"))]


def _separable(results: Results) -> str:
    models = {endpoint: fit_mixed_model(values_of(results, endpoint)) for endpoint in ENDPOINTS}
    known = {endpoint: model.deviation for endpoint, model in models.items() if model is not None}
    if not known:
        return ""
    lines = [["deviation of a network", *(number(deviation) for deviation in known.values())]]
    for seeds in SEED_COUNTS:
        widths = [
            [half_width(d, seeds, methods) for methods in (len(FLOOR_NAMES), len(METHODS))] for d in known.values()
        ]
        lines.append([f"separable with {seeds} seeds", *(f"{number(own)} ({number(all_)})" for own, all_ in widths)])
    return table(["", *(endpoint.name for endpoint in known)], lines)
