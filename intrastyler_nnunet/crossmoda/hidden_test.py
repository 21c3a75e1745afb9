"""What the container of a submission runs: every T2 image of a folder to a label map, offline.

    python -m intrastyler_nnunet.crossmoda.hidden_test /input /output /model
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import SimpleITK
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from intrastyler_nnunet.crossmoda.localise import UNSURE, draw_balls, find_cochleae
from intrastyler_nnunet.crossmoda.postprocess import Rules, postprocess
from intrastyler_nnunet.crossmoda.region import Region, region_around, whole_image
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import read_json
from intrastyler_nnunet.grids import SamplingGrid, image_onto, labels_onto, to_lps
from intrastyler_nnunet.images import read_image, write_image

ENDING = "_T2.nii.gz"
REGION_FILE = "region.json"  # in the model's folder: how its training images were cut


def predict_folder(images: Path, output: Path, model: Path, device: torch.device) -> list[str]:
    """Write `<case>.nii.gz` for every `<case>_T2.nii.gz`.

    An image that cannot be read gets no label map; the others are written.

    Returns:
        What went wrong or is uncertain, one line per case.

    Raises:
        InputError: no image; no model.
    """
    files = sorted(images.glob(f"*{ENDING}"))
    if not files:
        raise InputError(f"{images}: found no image, expected files such as case{ENDING}")
    if not (model / "plans.json").is_file():
        raise InputError(f"{model}: no plans.json, expected a folder of a trained model")
    predictor = open_model(model, device)
    settings = read_json(model / REGION_FILE)
    region = Region(**{name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()})
    remarks = []
    for number, path in enumerate(files, start=1):
        case = path.name.removesuffix(ENDING)
        print(f"{case} ({number} of {len(files)})", flush=True)
        try:
            labels, remark = predict_image(read_image(path), predictor, region)
        except InputError as error:
            remarks.append(str(error))
            continue
        write_image(labels, output / f"{case}.nii.gz")
        if remark:
            remarks.append(f"{path}: {remark}")
    return remarks


def open_model(folder: Path, device: torch.device) -> nnUNetPredictor:
    """nnU-Net's predictor with all folds of a model folder."""
    predictor = nnUNetPredictor(device=device, perform_everything_on_device=device.type == "cuda", allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), use_folds=None)
    return predictor


def predict_image(
    image: SimpleITK.Image, predictor: nnUNetPredictor, region: Region
) -> tuple[SimpleITK.Image, str | None]:
    """The label map (uint8) of a T2 image on its own grid, and a remark if its cochleae were not found."""
    upright = to_lps(image)
    finding = find_cochleae(image, None, "")
    remark = None
    if finding.route == UNSURE:
        grid = whole_image(SamplingGrid.of(upright), region)
        remark = f"cochleae not found, {'; '.join(finding.reasons)}"
    else:
        grid = region_around(to_lps(draw_balls(finding.cochleae, image)), 1, upright, region)
    cut = SimpleITK.GetArrayFromImage(image_onto(upright, grid))
    properties = {"spacing": list(grid.spacing[::-1])}
    predicted = predictor.predict_single_npy_array(cut[None], properties, None, None, False)
    cleaned, _ = postprocess(np.asarray(predicted), Rules())
    labels = SimpleITK.GetImageFromArray(cleaned.astype(np.uint8))
    labels.CopyInformation(grid.empty())
    return labels_onto(labels, SamplingGrid.of(image)), remark


def main() -> None:
    """Predict; exit code 2 if a case has no label map."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path, help="folder of case_T2.nii.gz")
    parser.add_argument("output", type=Path, help="folder for case.nii.gz")
    parser.add_argument("model", type=Path, help="folder of the trained model")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        remarks = predict_folder(arguments.input, arguments.output, arguments.model, device)
    except InputError as error:
        raise SystemExit(f"hidden_test: {error}") from None
    for remark in remarks:
        print(f"warning: {remark}", file=sys.stderr)
    missing = len(list(arguments.input.glob(f"*{ENDING}"))) - len(list(arguments.output.glob("*.nii.gz")))
    raise SystemExit(2 if missing > 0 else 0)


if __name__ == "__main__":
    main()
