"""Which of several models to trust on unlabelled images."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from intrastyler_nnunet.adaptation import signs
from intrastyler_nnunet.adaptation.candidates import Candidate, PackedLabels, predictions
from intrastyler_nnunet.adaptation.choice import Signs, Standing, ranked
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import image_files
from intrastyler_nnunet.nnunet.settings import checksum
from intrastyler_nnunet.nnunet.trained_model import TrainedModel
from intrastyler_nnunet.structures import Structures
from intrastyler_nnunet.styles.bank import BANK_FILE, StyleBank
from intrastyler_nnunet.styles.coverage import coverage


@dataclass(frozen=True)
class Verdict:
    """The outcome of a choice.

    Attributes:
        names: of the M models.
        cases: names of the C images.
        standings: the models, best first.
        signs: of all models and cases; they decide where there are no labels.
        disagreements: (C,) of the models, see `signs.disagreement`.
        dice: (M, L) of the L labelled cases; None: there are none.
    """

    names: list[str]
    cases: list[str]
    standings: list[Standing]
    signs: Signs
    disagreements: np.ndarray
    dice: np.ndarray | None

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        by_sign = {name: values.mean(axis=1).round(4).tolist() for name, values in self.signs.counted().items()}
        rows = [
            asdict(standing) | {"model": self.names[standing.model]}
            | {name: values[standing.model] for name, values in by_sign.items()}
            for standing in self.standings
        ]  # fmt: skip
        order = np.argsort(-np.nan_to_num(self.disagreements, nan=2.0), kind="stable").tolist()
        cases = [{"case": self.cases[i], "disagreement": _number(self.disagreements[i])} for i in order]
        by = "Dice of the labelled cases" if self.dice is not None else ", ".join(by_sign)
        return {"ranked_by": by, "models": rows, "cases": cases}


def choose(
    candidates: Sequence[Candidate],
    images: dict[str, Path],
    new: StyleBank,
    exemplars: StyleBank,
    generator: Path,
    device: torch.device,
    labels: Path | None = None,
) -> Verdict:
    """Predict every image by every model, once and in jittered styles, and rank the models.

    Args:
        candidates: of the same labels.
        images: files, by case.
        new: the images' styles.
        exemplars: the data set's.
        generator: whose style encoder they are of.
        device: of the predictions.
        labels: folder of label maps of some of the cases, by whose Dice the models are then ranked; None: by signs.

    Raises:
        InputError: there is no label map, or one that does not fit its image.
    """
    truths = {} if labels is None else _read_truths(labels, images, candidates[0].model)
    found = [predictions(candidate, images, device) for candidate in candidates]
    names, cases = [candidate.name for candidate in candidates], list(images)
    structures = candidates[0].model.labels
    rows = [_signs_of([table[case] for table in found], candidates[0].model) for case in tqdm(cases, "signs")]
    agreement, stability, plausibility = (np.stack([row[i] for row in rows], axis=1) for i in range(3))
    covered = np.stack([_covered(candidate.model, new, exemplars, generator) for candidate in candidates])
    known = Signs(agreement, stability, plausibility, covered)
    disagreements = np.array([row[3] for row in rows])
    dice = None
    if labels is not None:
        dice = np.array([
            [_dice(table[case][0], truth, structures, case) for case, truth in truths.items()] for table in found
        ])  # fmt: skip
    standings = ranked(known.scores() if dice is None else dice)
    return Verdict(names, cases, standings, known, disagreements, dice)


def require_generator_of_any(candidates: Sequence[Candidate], generator: Path) -> None:
    """Raise InputError if models say which generators they were trained with, and all name others, or it is missing."""
    if not generator.is_file():
        raise InputError(f"{generator}: no such file, expected the generator of a model; name it with -g")
    stated = [sha for candidate in candidates for sha in _generators(candidate.model)]
    if stated and checksum(generator) not in stated:
        raise InputError(
            f"{generator}: is the generator of none of the models, expected one of theirs; name it with -g"
        )


def _signs_of(found: list[list[PackedLabels]], model: TrainedModel) -> tuple[np.ndarray, ...]:
    """Agreement, stability and plausibility (M,) of the models on a case, and their disagreement ()."""
    label_maps = [packed[0].unpacked() for packed in found]
    jittered = [[other.unpacked() for other in packed[1:]] for packed in found]
    table = signs.pairwise_dice(label_maps, model.labels)
    plausible = np.full(len(found), np.nan)
    structures = _rule_structures(model)
    if structures is not None:
        plausible = signs.plausibility(label_maps, structures)
    stable = signs.stability(label_maps, jittered, model.labels)
    return signs.agreement(table), stable, plausible, np.array(signs.disagreement(table))


def _rule_structures(model: TrainedModel) -> Structures | None:
    """The structures that the rules for pseudo-labels know; None: the data set has others."""
    try:
        return Structures.of({name: value for name, value in model.dataset_json["labels"].items() if name != "ignore"})
    except InputError:
        return None


def _covered(model: TrainedModel, new: StyleBank, exemplars: StyleBank, generator: Path) -> np.ndarray:
    """Whether each new image (C,) lies among the model's exemplars; NaN where that cannot be told.

    A model that was trained without translation has no exemplars and covers none.
    """
    unknown = np.full(len(new.names), np.nan)
    if model.provenance is None:
        return unknown
    settings = model.provenance["settings"]
    if not model.provenance["generators"]:
        return np.zeros(len(new.names))
    if settings["generator_sha256"] != checksum(generator):
        return unknown
    bank = StyleBank.load(model.folder / BANK_FILE) if settings.get("style_bank") else exemplars
    wanted = set(settings.get("exemplars") or bank.names) | set(settings.get("new_exemplars") or ())
    chosen = [i for i, name in enumerate(bank.names) if name in wanted and name in settings["exemplar_names"]]
    if len(chosen) < 2:
        return unknown
    return (~coverage(new.vectors, bank.vectors[chosen]).outside).double().numpy()


def _generators(model: TrainedModel) -> list[str]:
    sha = model.provenance["settings"].get("generator_sha256") if model.provenance else None
    return [] if sha is None else [sha] if isinstance(sha, str) else sha


def _read_truths(folder: Path, images: dict[str, Path], model: TrainedModel) -> dict[str, np.ndarray]:
    reader, truths = model.plans.image_reader_writer_class(), {}
    for case, path in image_files(folder).items():
        if case not in images:
            raise InputError(f"{path}: no image of this name, expected label maps of the images")
        try:
            truths[case] = reader.read_seg(str(path))[0][0]
        except Exception as error:  # nnU-Net's readers raise whatever they like
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"{path}: cannot be read ({reason}), expected a label map") from None
    if not truths:
        raise InputError(f"{folder}: found no label map, expected some of the images'")
    return truths


def _dice(packed: PackedLabels, truth: np.ndarray, structures: list, case: str) -> float:
    predicted = packed.unpacked()
    if predicted.shape != truth.shape:
        raise InputError(f"{case}: its label map has shape {truth.shape}, expected the image's {predicted.shape}")
    return signs.mean_dice(predicted, truth, structures, both_empty=1.0)


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
