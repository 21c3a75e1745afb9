"""Box plots of per-case scores, as in the paper's Figure 5."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.comparison.tables import Segmentation, column_scores
from intrastyler_nnunet.files import written_atomically


def draw_boxes(results: Segmentation, metric: str, path: Path) -> None:
    """A row for each test set, a column for each structure, a box for each method over all cases of all seeds.

    Args:
        results: the rows.
        metric: "dice" or "assd"; the latter also of the boundary, on a logarithmic axis.
        path: of the picture (PNG).
    """
    columns = results.columns(metric)
    size = (3.4 * len(columns), 0.6 + (0.5 + 0.22 * len(results.methods)) * len(results.test_sets))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(results.test_sets), len(columns), squeeze=False, sharey=True, sharex=True)
    for line, test_set in zip(axes, results.test_sets, strict=True):
        for axis, column in zip(line, columns, strict=True):
            _draw(axis, [_values(results.of(method, test_set), metric, column) for method in results.methods], metric)
            axis.set_title(f"{test_set}: {column.replace('_', '-')}", fontsize="small")
        line[0].set_yticks(range(1, 1 + len(results.methods)), [results.names[key] for key in results.methods])
        line[0].set_ylim(len(results.methods) + 0.6, 0.4)
    for axis in axes[-1]:
        axis.set_xlabel("Dice" if metric == "dice" else "ASSD (mm)", fontsize="small")
    with written_atomically(path) as temporary:
        figure.savefig(temporary, dpi=80, format="png")


def _draw(axis, values: list[list[float]], metric: str) -> None:
    axis.boxplot(
        values, orientation="horizontal", widths=0.6, flierprops={"markersize": 3}, medianprops={"color": "tab:red"}
    )
    axis.tick_params(labelsize="x-small")
    axis.grid(axis="x", alpha=0.3)
    if metric == "dice":
        axis.set_xlim(-0.02, 1.02)
    else:
        axis.set_xscale("symlog", linthresh=0.1)


def _values(rows: list[dict], metric: str, column: str) -> list[float]:
    return [column_scores(row, column)[metric] for row in rows]
