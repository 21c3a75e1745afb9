"""A summary as a table for the terminal, and as CSV."""

import csv
import io

TITLES = ("Dice", "NSD", "ASSD", "HD95")
MEASURES = ("dice", "nsd", "assd", "hd95", "penalised")


def format_table(summary: dict) -> str:
    """One line per case and a last line of means; distances in mm. `summary` is what `evaluate_folder` returns.

    A star marks a distance that is the penalty for an empty mask, or a mean that holds such penalties.
    """
    structures = list(summary["structures"])
    header = ["case", *(f"{name} {metric}" for name in structures for metric in TITLES)]
    if summary["boundary"]:
        header.append("boundary ASSD")
    rows = [header]
    for case, scores in (*summary["cases"].items(), ("mean", summary)):
        cells = [case]
        for name in structures:
            values = scores["structures"][name]
            cells += [f"{values['dice']:.4f}", f"{values['nsd']:.4f}"]
            cells += [_distance(values), _distance(values, "hd95")]
        if summary["boundary"]:
            cells.append(_distance(scores["boundary"]))
        rows.append(cells)
    lines = _aligned(rows)
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], f"mean Dice {summary['mean_dice']:.4f}"])


def format_csv(summary: dict) -> str:
    """A line per case and structure, "boundary" among them; empty where a measure is not defined."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("case", "structure", *MEASURES))
    for case, scores in summary["cases"].items():
        boundary = {"boundary": scores["boundary"]} if scores["boundary"] else {}
        for name, values in (scores["structures"] | boundary).items():
            writer.writerow((case, name, *(_number(values.get(measure, "")) for measure in MEASURES)))
    return stream.getvalue()


def _number(value: float | bool | str) -> float | int | str:
    return int(value) if isinstance(value, bool) else value


def _distance(scores: dict, measure: str = "assd") -> str:
    return f"{scores[measure]:.3f}{'*' if scores['penalised'] else ' '}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    template = "  ".join([f"{{:<{widths[0]}}}", *(f"{{:>{width}}}" for width in widths[1:])])
    return [template.format(*row) for row in rows]
