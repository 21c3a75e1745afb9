"""Scores of a method's predictions of the test images."""

from benchmarks.comparison.endpoints import SEGMENTATION
from benchmarks.comparison.own_data import TEST_SET
from benchmarks.comparison.plan import Method
from benchmarks.comparison.results import Results
from benchmarks.comparison.run import Run
from intrastyler_nnunet.evaluation.folder import evaluate_folder
from intrastyler_nnunet.structures import read_labels
from intrastyler_nnunet.typed_json import read_json


def score_predictions(run: Run, method: Method, results: Results) -> None:
    """Add a row per test case: Dice and ASSD of every structure, and of the boundary."""
    sets = {} if run.own_data else read_json(run.tests / "test_sets.json", dict[str, str], "the test set of each case")
    labels = read_labels(run.raw / "dataset.json")
    scores = evaluate_folder(run.predictions(method), run.tests / "labelsTs", labels)
    rows = [
        {"test_set": sets.get(case, TEST_SET), "case": case, **case_scores}
        for case, case_scores in scores["cases"].items()
    ]
    results.put(rows, table=SEGMENTATION, method=method.key, seed=run.seed)
