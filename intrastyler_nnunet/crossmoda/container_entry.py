"""What the container of a submission runs: every T2 image of a folder to a label map, offline.

python -m intrastyler_nnunet.crossmoda.container_entry /input /output /model
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import SimpleITK
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from intrastyler_nnunet.crossmoda.localise import draw_balls, find_cochleae
from intrastyler_nnunet.crossmoda.postprocess import Rules, postprocess
from intrastyler_nnunet.crossmoda.region import Region, region_around, whole_image
from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.errors import InputError, one_line_errors
from intrastyler_nnunet.grids import SamplingGrid, image_onto, label_image, labels_onto, to_lps
from intrastyler_nnunet.images import read_volume, write_image
from intrastyler_nnunet.nnunet.descriptions import DatasetDescription, PlansDescription
from intrastyler_nnunet.structures import Structures
from intrastyler_nnunet.typed_json import read_json

ENDING = "_T2.nii.gz"
REGION_FILE = "region.json"  # in the model's folder: how its training images were cut


def predict_folder(images: Path, output: Path, model: Path, device: torch.device) -> tuple[list[str], list[str]]:
    """Write `<case>.nii.gz` for every `<case>_T2.nii.gz`, whatever becomes of the others.

    Returns:
        What kept cases from getting a label map, and what is uncertain about others; one line each.

    Raises:
        InputError: no image; no model.
    """
    files = sorted(path for path in images.glob(f"*{ENDING}") if not path.name.startswith("."))
    if not files:
        raise InputError(f"{images}: found no image, expected files such as case{ENDING}")
    structures = require_model(model)
    region = read_json(model / REGION_FILE, Region, "what `intrastyler crossmoda container` wrote")
    predictor = open_model(model, device)
    failures, remarks = [], []
    for number, path in enumerate(files, start=1):
        case = path.name.removesuffix(ENDING)
        print(f"{case} ({number} of {len(files)})", flush=True)
        try:
            labels, remark = predict_image(read_volume(path), predictor, region, structures)
            write_image(labels, output / f"{case}.nii.gz")
        except Exception as error:  # nobody can help here, and the other cases must not suffer
            failures.append(f"{path}: {(str(error).splitlines() or [type(error).__name__])[0]}")
            continue
        if remark:
            remarks.append(f"{path}: {remark}")
    return failures, remarks


def require_model(folder: Path) -> Structures:
    """The structures of a trained model. Raises InputError if the folder has no proper plans.json or dataset.json."""
    what = "that of a trained model"
    read_json(folder / "plans.json", PlansDescription, what, "allow")
    description = read_json(folder / "dataset.json", DatasetDescription, what, "allow")
    if not description.keys() & {"channel_names", "modality"}:  # nnU-Net predicts with either
        raise InputError(f'{folder / "dataset.json"}: no entry "channel_names", expected {what}')
    return Structures.of(description["labels"])


def open_model(folder: Path, device: torch.device) -> nnUNetPredictor:
    """nnU-Net's predictor with all folds of a model folder."""
    names = sorted(path.name.removeprefix("fold_") for path in folder.glob("fold_*"))
    folds = tuple("all" if name == "all" else int(name) for name in names)
    predictor = nnUNetPredictor(device=device, perform_everything_on_device=device.type == "cuda", allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), use_folds=folds)
    return predictor


def predict_image(
    image: SimpleITK.Image, predictor: nnUNetPredictor, region: Region, structures: Structures
) -> tuple[SimpleITK.Image, str | None]:
    """The label map (uint8) of a T2 image on its own grid, and a remark if its cochleae were not found."""
    upright = to_lps(image)
    finding = find_cochleae(image, None, "")
    grid = region_around(to_lps(draw_balls(finding.cochleae, image)), 1, upright, region)
    remark = None
    if grid is None:
        grid = whole_image(SamplingGrid.of(upright), region)
        remark = f"cochleae not found, {'; '.join(finding.reasons)}"
    cut = SimpleITK.GetArrayFromImage(image_onto(upright, grid))
    properties = {"spacing": list(grid.spacing[::-1])}
    predicted = predictor.predict_single_npy_array(cut[None], properties, None, None, False)
    cleaned, _ = postprocess(np.asarray(predicted), Rules(), structures)
    return labels_onto(label_image(cleaned, grid), SamplingGrid.of(image)), remark


def main() -> None:
    """Predict; exit code 2 if a case has no label map."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path, help="folder of case_T2.nii.gz")
    parser.add_argument("output", type=Path, help="folder for case.nii.gz")
    parser.add_argument("model", type=Path, help="folder of the trained model")
    arguments = parser.parse_args()
    with one_line_errors("container"):
        device = chosen_device(None)
        failures, remarks = predict_folder(arguments.input, arguments.output, arguments.model, device)
    for line in [*(f"warning: {remark}" for remark in remarks), *failures]:
        print(line, file=sys.stderr)
    raise SystemExit(2 if failures else 0)


if __name__ == "__main__":
    main()
