"""What a label map may not hold: more than one tumour, more than two cochleae."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import generate_binary_structure, label
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.grids import label_image
from intrastyler_nnunet.images import image_files, write_image
from intrastyler_nnunet.label_maps import read_label_map
from intrastyler_nnunet.structures import Structures

TOUCHING = generate_binary_structure(3, 3)  # voxels that share a corner belong together


@dataclass(frozen=True)
class Rules:
    """Which rules apply."""

    one_tumour: bool = True  # the largest component, one with both parts before one with a single part
    two_cochleae: bool = True  # the two largest components


@dataclass(frozen=True)
class Change:
    """What was removed from one structure of a case."""

    structure: str
    components: int
    voxels: int


def postprocess(labels: np.ndarray, rules: Rules, structures: Structures) -> tuple[np.ndarray, list[Change]]:
    """Apply the rules to a label map (Z, Y, X); returns a new one and what was removed from it."""
    cleaned, changes = labels.copy(), []
    if rules.one_tumour:
        parts = tuple(structures.tumour.values())
        changes += _keep(cleaned, np.isin(labels, parts), 1, "tumour", parts)
    if rules.two_cochleae:
        changes += _keep(cleaned, labels == structures.cochlea, 2, "cochlea")
    return cleaned, changes


def _keep(
    labels: np.ndarray, mask: np.ndarray, count: int, structure: str, parts: tuple[int, ...] = ()
) -> list[Change]:
    """Set all but the best `count` components of `mask` to background, in place: with all parts first, then large."""
    components, number = label(mask, TOUCHING)
    if number <= count:
        return []
    sizes = np.bincount(components.ravel(), minlength=number + 1)[1:]
    whole = np.ones(number, bool)
    for part in parts:
        whole &= np.bincount(components[labels == part], minlength=number + 1)[1:] > 0
    best = 1 + np.lexsort((sizes, whole))[::-1][:count]
    removed = mask & ~np.isin(components, best)
    labels[removed] = 0
    return [Change(structure, number - count, int(removed.sum()))]


def clean_folder(predictions: Path, output: Path, rules: Rules, structures: Structures) -> dict[str, list[dict]]:
    """Apply the rules to every label map of a folder.

    Returns:
        What was removed, by case; the same is written to `output`/changes.json.

    Raises:
        InputError: no label map, or one that is unreadable or has other values; label maps cleaned before
            stay.
    """
    files = image_files(predictions)
    if not files:
        raise InputError(f"{predictions}: found no label map, expected predictions")
    report = {}
    for case, path in tqdm(files.items(), "postprocess"):
        label_map = read_label_map(path, structures.values)
        cleaned, changes = postprocess(label_map.labels, rules, structures)
        write_image(label_image(cleaned, label_map.grid), output / f"{case}.nii.gz")
        report[case] = [asdict(change) for change in changes]
    write_json(report, output / "changes.json")
    return report
