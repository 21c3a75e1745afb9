"""Pseudo-labels for the method that trains on them."""

import shlex

from benchmarks.comparison.plan import METHODS, REFERENCE
from benchmarks.comparison.results import NoResult
from benchmarks.comparison.run import Run
from benchmarks.comparison.scores import labels_of
from intrastyler_nnunet.crossmoda.pseudo_label import reasons_to_drop
from intrastyler_nnunet.images import image_files
from intrastyler_nnunet.label_maps import read_label_map
from intrastyler_nnunet.structures import CROSSMODA_LABELS, LABELS, LATEST, Structures
from intrastyler_nnunet.workflow import run_command


def choose_pseudo_labels(run: Run) -> None:
    """`intrastyler crossmoda pseudo-label` on the reference method's predictions of the target images.

    Raises:
        NoResult: the labels are not CrossMoDA's, or no prediction passes the rules.
    """
    if dict(labels_of(run)) != dict(CROSSMODA_LABELS):
        raise NoResult("pseudo-labels are chosen by rules for CrossMoDA's labels, which this data set does not have")
    method = METHODS[REFERENCE]
    predictions, structures = run.predictions(method, "target"), Structures.of(LABELS[LATEST])
    maps = (read_label_map(path, structures.values).labels for path in image_files(predictions).values())
    if all(reasons_to_drop(labels, structures) for labels in maps):
        raise NoResult("no prediction of a target image passes the rules of `intrastyler crossmoda pseudo-label`")
    with run.environment(method):
        run_command(
            f"intrastyler crossmoda pseudo-label -i {shlex.quote(str(predictions))} "
            f"-o {shlex.quote(str(run.pseudo_labels))} -d {run.number} -c {run.configuration}"
        )
