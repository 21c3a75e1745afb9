"""A summary as a table for the terminal."""


def format_table(summary: dict) -> str:
    """One line per case and a last line of means; ASSD in mm. `summary` is what `evaluate_folder` returns.

    A star marks an ASSD that is the penalty for an empty mask, or a mean that holds such penalties.
    """
    structures = list(summary["structures"])
    header = ["case", *(f"{name} {metric}" for name in structures for metric in ("Dice", "ASSD"))]
    if summary["boundary"]:
        header.append("boundary ASSD")
    rows = [header]
    for case, scores in (*summary["cases"].items(), ("mean", summary)):
        cells = [case]
        for name in structures:
            cells += [f"{scores['structures'][name]['dice']:.4f}", _distance(scores["structures"][name])]
        if summary["boundary"]:
            cells.append(_distance(scores["boundary"]))
        rows.append(cells)
    lines = _aligned(rows)
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], f"mean Dice {summary['mean_dice']:.4f}"])


def _distance(scores: dict) -> str:
    return f"{scores['assd']:.3f}{'*' if scores['penalised'] else ' '}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    template = "  ".join([f"{{:<{widths[0]}}}", *(f"{{:>{width}}}" for width in widths[1:])])
    return [template.format(*row) for row in rows]
