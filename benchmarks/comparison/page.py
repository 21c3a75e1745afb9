"""docs/benchmark.md, made from the result files: `python -m benchmarks.comparison.page`.

The first lines say what was decided, what was not, and how many seeds that would take.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison import tables
from benchmarks.comparison.ceiling_table import ceiling_sections
from benchmarks.comparison.endpoints import TRANSLATIONS, Endpoint, endpoints_of
from benchmarks.comparison.jobs import COST
from benchmarks.comparison.results import Results
from benchmarks.comparison.run import REPOSITORY
from benchmarks.comparison.tables import NAMES
from benchmarks.comparison.translations import FLOORS
from benchmarks.comparison.verdicts import Verdict, verdicts
from intrastyler_nnunet.files import written_atomically

PAGE = REPOSITORY / "docs" / "benchmark.md"
LADDER = REPOSITORY / "benchmarks" / "results" / "ladder.jsonl"
CEILING = REPOSITORY / "benchmarks" / "results" / "ceiling.jsonl"
TEXT = Path(__file__).with_name("page.md")  # what the page says whatever the results are


def main() -> None:
    """Write the page."""
    write_page(LADDER, PAGE)


def write_page(ladder: Path, path: Path) -> None:
    """Write the page of a result file; rows that have no results yet are left out."""
    with written_atomically(path) as temporary:
        temporary.write_text(page(ladder, CEILING))


def page(ladder: Path, ceiling: Path) -> str:
    """What the page says of two result files, which need not be there."""
    results = Results(ladder)
    own_data = next((row["dataset"] for row in results.rows("comparison")), None)
    endpoints = endpoints_of(own_data is not None)
    found = verdicts(results, endpoints)
    first_lines = summary(found, _seeds(results))
    if own_data:
        sections = [f"# The comparison on {own_data}", first_lines]
    else:
        text = TEXT.read_text().format(summary=first_lines, **stated(endpoints))
        sections = [text.strip(), *ceiling_sections(Results(ceiling))]
    return "\n\n".join([*sections, *_ladder(results, endpoints, found)]) + "\n"


def summary(found: Sequence[Verdict], seeds: int) -> str:
    """Primary verdicts one by one, the others counted."""
    if not found:
        return (
            "**Nothing is decided yet**: the ladder has not been run on the present simulation with two seeds or more."
        )
    primary = [verdict for verdict in found if verdict.claim.endpoint.primary]
    parts = []
    for title, chosen in (
        (f"**Decided**, with {seeds} seeds:", [v for v in primary if v.true is not None]),
        (f"**Not decided**, with {seeds} seeds:", [v for v in primary if v.true is None]),
    ):
        parts.append("\n".join([title, "", *(map(_sentence, chosen) if chosen else ["- nothing"])]))
    others = [verdict.word for verdict in found if not verdict.claim.endpoint.primary]
    counts = ", ".join(f"{others.count(word)} {word}" for word in ("confirmed", "refuted", "undecided"))
    parts.append(f"Of {len(others)} secondary comparisons: {counts} (tables below).")
    return "\n\n".join(parts)


def _sentence(verdict: Verdict) -> str:
    claim, i = verdict.claim, verdict.interval
    needed = f"; about {tables.needed_seeds(verdict)} would decide it" if verdict.true is None else ""
    return (
        f"- {verdict.word.capitalize()}: {NAMES[claim.method]} better than {NAMES[claim.rival]} in "
        f"{claim.endpoint.name} (difference {i.estimate:+.3f}, 95 % interval {i.low:+.3f} to {i.high:+.3f}{needed})."
    )


def _ladder(results: Results, endpoints: list[Endpoint], found: list[Verdict]) -> list[str]:
    sections = []
    if results.rows(TRANSLATIONS):
        chosen = tables.of_table(endpoints, TRANSLATIONS)
        above = [line for row in results.rows(FLOORS) for line in tables.floors(row, chosen)]
        sections += ["## Translations", tables.means(results, chosen, NAMES, above)]
        sections += _differences(found, chosen)
    for test_set, chosen in tables.by_test_set(endpoints).items():
        if any(row["test_set"] == test_set for row in results.rows("segmentation")):
            sections += [f"## Segmenters on {test_set}", tables.means(results, chosen, NAMES)]
            sections += _differences(found, chosen)
    if results.rows(COST):
        sections += ["## Cost", tables.cost(results.rows(COST))]
    return sections


def _differences(found: list[Verdict], endpoints: list[Endpoint]) -> list[str]:
    own = [verdict for verdict in found if verdict.claim.endpoint in endpoints]
    return [tables.differences(own)] if own else []


def _seeds(results: Results) -> int:
    return len({row["seed"] for row in results.rows(COST)})


def stated(endpoints: list[Endpoint]) -> dict[str, str]:
    """The endpoints in words: primary, secondary, those of segmenters, and the test sets that these are of."""
    judged, test_sets = tables.of_table(endpoints, TRANSLATIONS), tables.by_test_set(endpoints)
    return {
        "primary": ", ".join(_directed(e.name, e) for e in judged if e.primary),
        "secondary": ", ".join(_directed(e.name, e) for e in judged if not e.primary),
        "of_segmenters": ", ".join(_directed(e.measure, e) for e in next(iter(test_sets.values()))),
        "test_sets": ", ".join(test_sets),
    }


def _directed(name: str, endpoint: Endpoint) -> str:
    return f"{name} ({'larger' if endpoint.larger_is_better else 'smaller'} is better)"


if __name__ == "__main__":
    main()
