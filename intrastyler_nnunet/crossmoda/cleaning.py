"""Post-processing of a folder of predictions."""

from dataclasses import asdict
from pathlib import Path

import SimpleITK
from tqdm import tqdm

from intrastyler_nnunet.crossmoda.postprocess import Rules, postprocess
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.evaluation.label_maps import read_label_map
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.images import image_files, read_image, write_image
from intrastyler_nnunet.structures import Structures


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
        cleaned, changes = postprocess(read_label_map(path, structures.values).labels, rules, structures)
        image = SimpleITK.GetImageFromArray(cleaned.astype("uint8"))
        image.CopyInformation(read_image(path))
        write_image(image, output / f"{case}.nii.gz")
        report[case] = [asdict(change) for change in changes]
    write_json(report, output / "changes.json")
    return report
