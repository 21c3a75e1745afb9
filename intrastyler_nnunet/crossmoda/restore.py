"""Predictions back on their images' original grids."""

from pathlib import Path

from tqdm import tqdm

from intrastyler_nnunet.crossmoda.prepare import read_record
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.grids import labels_onto, require_same_grid
from intrastyler_nnunet.images import image_files, write_image
from intrastyler_nnunet.label_maps import read_label_map
from intrastyler_nnunet.structures import Structures


def restore(predictions: Path, records: Path, output: Path, structures: Structures) -> list[Path]:
    """Put every label map of a folder back; empty outside the region it was predicted on.

    Args:
        predictions: folder of `<case>` label maps on the regions' grids.
        records: folder of `<case>.json`, which `prepare` wrote.
        output: folder for `<case>.nii.gz`.
        structures: of the edition.

    Raises:
        InputError: a prediction without a record, unreadable, of unknown labels, or not on its region's grid. What
            was put back before stays.
    """
    files = image_files(predictions)
    if not files:
        raise InputError(f"{predictions}: found no label map, expected predictions")
    return [_restore_case(case, path, records, output, structures) for case, path in tqdm(files.items(), "restore")]


def _restore_case(case: str, path: Path, records: Path, output: Path, structures: Structures) -> Path:
    record_path = records / f"{case}.json"
    if not record_path.is_file():
        raise InputError(f"{path}: no record {record_path}, expected the one that prepare wrote for it")
    record = read_record(record_path)
    region = record.region
    prediction = read_label_map(path, structures.values)
    require_same_grid(prediction.grid, region, path, record_path)
    restored = output / f"{case}.nii.gz"
    write_image(labels_onto(prediction.image, record.original), restored)
    return restored
