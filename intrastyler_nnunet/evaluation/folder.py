"""Score a folder of predictions against a folder of references."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.evaluation.metrics import EMPTY_PENALTY_MM, TOLERANCE_MM, CaseScores, evaluate_case
from intrastyler_nnunet.evaluation.sides import told_apart
from intrastyler_nnunet.grids import require_same_grid
from intrastyler_nnunet.images import image_files
from intrastyler_nnunet.label_maps import read_label_map
from intrastyler_nnunet.structures import Labels, label_values
from intrastyler_nnunet.workers import workers


def evaluate_folder(
    predictions: Path | str,
    references: Path | str,
    labels: Labels,
    processes: int = 1,
    cases: Collection[str] | None = None,
    assd_definition: str = "pooled",
    tolerance: float = TOLERANCE_MM,
    sides_of: Collection[str] = (),
) -> dict:
    """Score every case of `references`, or only `cases`, with `processes` processes.

    Files are matched by name without ending; predictions without a reference are ignored. The result:

        mean_dice        mean over cases and structures
        structures       {name: {dice, assd (mm), nsd, hd95 (mm), penalised (number of cases)}}, means over cases
        boundary         {assd (mm), penalised}, or None if the labels do not have both tumour parts
        cases            {case: {structures: {name: {dice, assd, ...}}, boundary: {assd, penalised} or None}}
        labels, assd_definition, tolerance_mm, empty_penalty_mm    what was scored, and how

    With `sides_of`, the left and the right part of these structures are structures, too (`sides.told_apart`); they do
    not enter mean_dice.

    Raises InputError for a missing folder, a missing prediction, an unreadable file, a prediction on another
    grid than its reference, or a label map with fractional or unknown values.
    """
    if processes < 1:
        raise InputError(f"found {processes} processes, expected at least 1")
    pairs = _matching_files(Path(predictions), Path(references), cases)
    if unknown := [name for name in sides_of if name not in labels]:
        raise InputError(f"sides of {', '.join(unknown)}: no such structure, expected some of {', '.join(labels)}")
    how = labels, assd_definition, tolerance, tuple(sides_of)
    jobs = [(prediction, reference, *how) for prediction, reference in pairs.values()]
    scores = tqdm(_evaluate_all(jobs, processes), total=len(jobs), desc="evaluate", disable=None, leave=False)
    summary = summarise(dict(zip(pairs, scores, strict=True)), labels)
    return summary | {
        "labels": dict(labels),
        "assd_definition": assd_definition,
        "tolerance_mm": tolerance,
        "empty_penalty_mm": EMPTY_PENALTY_MM,
    }


def evaluate_files(
    prediction: Path, reference: Path, labels: Labels, assd_definition: str, tolerance: float, sides_of: Collection[str]
) -> CaseScores:
    """Score one file against another. Raises InputError as `evaluate_folder` does."""
    allowed = label_values(labels)
    true = read_label_map(reference, allowed)
    predicted = read_label_map(prediction, allowed)
    require_same_grid(predicted.grid, true.grid, prediction, reference)
    arrays = predicted.labels, true.labels
    for name in sides_of:
        arrays, labels = told_apart(*arrays, labels, name, true.grid)
    return evaluate_case(*arrays, true.spacing, labels, assd_definition, tolerance)


def summarise(scores: dict[str, CaseScores], labels: Labels) -> dict:
    """Means over cases, and the cases, in the layout of `evaluate_folder`.

    `scores` is not empty; `labels` are the structures that enter the mean Dice.
    """
    names = next(iter(scores.values())).structures
    structures = {name: _means([asdict(case.structures[name]) for case in scores.values()]) for name in names}
    boundaries = [asdict(case.boundary) for case in scores.values() if case.boundary]
    return {
        "mean_dice": fmean(structures[name]["dice"] for name in labels),
        "structures": structures,
        "boundary": _means(boundaries) if boundaries else None,
        "cases": {name: asdict(case) for name, case in scores.items()},
    }


def _means(rows: Sequence[dict]) -> dict:
    means = {metric: fmean(row[metric] for row in rows) for metric in rows[0] if metric != "penalised"}
    return means | {"penalised": sum(row["penalised"] for row in rows)}


def _matching_files(predictions: Path, references: Path, cases: Collection[str] | None) -> dict[str, tuple[Path, Path]]:
    predicted, true = image_files(predictions), image_files(references)
    wanted = sorted(true if cases is None else set(cases))
    if not wanted:
        raise InputError(f"{references}: found no label map, expected at least one")
    for folder, files in ((references, true), (predictions, predicted)):
        missing = [case for case in wanted if case not in files]
        if missing:
            shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise InputError(
                f"{folder}: no label map for {len(missing)} of {len(wanted)} cases ({shown}), expected one for each"
            )
    return {case: (predicted[case], true[case]) for case in wanted}


def _evaluate_all(jobs: list[tuple], processes: int) -> Iterator[CaseScores]:
    if min(processes, len(jobs)) == 1:
        yield from (evaluate_files(*job) for job in jobs)
        return
    with workers(min(processes, len(jobs))) as pool:
        yield from pool.map(evaluate_files, *zip(*jobs, strict=True))
