"""docs/benchmark.md: everything between two marks is made from the result rows, what stands around it is kept."""

from pathlib import Path

from benchmarks.comparison import tables
from benchmarks.comparison.claims import claims
from benchmarks.comparison.figures import draw_boxes
from benchmarks.comparison.plan import METHODS
from benchmarks.comparison.results import Results
from benchmarks.comparison.tables import Segmentation
from intrastyler_nnunet.files import written_atomically

BEGIN, END = "<!-- results: written by python -m benchmarks.comparison -->", "<!-- end of results -->"
TITLE = "# The paper's comparison, measured\n\n"
READING = """All cases of all seeds count alike. Worst decile: mean of the worst tenth of the cases. Failures:
structures with Dice below 0.1, missed, or found where there is none. p: two-sided Wilcoxon signed-rank test of the
cases' mean Dice against IntraStyler; it compares these trained networks on other cases, not methods on other seeds,
and is not corrected for the number of tests. In tables by structure: mean / median / worst decile; in brackets the
number of cases in which one of prediction and truth is empty, whose ASSD counts as 350 mm
([definitions](metrics.md))."""
EXPECTATIONS = "On the seeds that all of the methods have:"
SYNTHESIS = """On subjects that no data set has, in the exemplar's standard deviations: mean absolute error to the
truth, which is the source's subject in the exemplar's very protocol; the same in tumour and cochleae alone; the share
of translations in which every two tissues that differ in the truth are in its order; Pearson's r between tissue
contrast, noise and blur of translation and exemplar."""


def write_page(results: Results, command: str, path: Path) -> None:
    """Write the page and its pictures beside it.

    Args:
        results: at least one row of table "segmentation".
        command: that ran the benchmark.
        path: of the page; text outside the marks of a page that is there already is kept.
    """
    segmentation = Segmentation(results.rows("segmentation"))
    pictures = {metric: path.with_name(f"{path.stem}_{metric}.png") for metric in ("dice", "assd")}
    for metric, picture in pictures.items():
        draw_boxes(segmentation, metric, picture)
    before, after = _kept(path)
    content = "\n\n".join(_sections(results, segmentation, command, pictures))
    with written_atomically(path) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{content}\n\n{END}{after}")


def _sections(results: Results, segmentation: Segmentation, command: str, pictures: dict[str, Path]) -> list[str]:
    sections = ["## Results", f"`{command}`", tables.runs(results.rows("run"))]
    expected = claims(segmentation)
    if expected:
        sections += ["### What the paper leads one to expect", EXPECTATIONS, "\n".join(expected)]
    skipped = [
        f"- {METHODS[row['method']].name}, seed {row['seed']}: {row['reason']}" for row in results.rows("skipped")
    ]
    if skipped:
        sections += ["### Without a result", "\n".join(skipped)]
    sections += ["### Segmentation", READING]
    for test_set in segmentation.test_sets:
        sections += [
            f"#### {test_set[0].upper()}{test_set[1:]}",
            tables.overview(segmentation, test_set),
            tables.by_structure(segmentation, test_set, "dice"),
            tables.by_structure(segmentation, test_set, "assd"),
        ]
    sections += [f"![{metric} of every case]({picture.name})" for metric, picture in pictures.items()]
    if results.rows("synthesis"):
        sections += ["### Synthesis", SYNTHESIS, tables.synthesis(results.rows("synthesis"))]
        sections += tables.does_dice_follow_the_error(segmentation, results.rows("synthesis"))
    if results.rows("cost"):
        sections += ["### Cost of pretraining", tables.cost(results.rows("cost"))]
    return sections


def _kept(path: Path) -> tuple[str, str]:
    """The text before and after the marks."""
    text = path.read_text() if path.is_file() else f"{TITLE}{BEGIN}{END}\n"
    before, _, rest = text.partition(BEGIN)
    return before, rest.partition(END)[2]
