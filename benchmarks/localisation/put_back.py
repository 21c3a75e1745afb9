"""What putting predictions back onto the original grids costs: Dice there against Dice in the region.

python -m benchmarks.localisation.put_back FOLDER      (the folder of docs/crossmoda_walkthrough.sh)
"""

import argparse
import json
from pathlib import Path

import numpy as np
import SimpleITK

from intrastyler_nnunet.crossmoda.prepare import read_record
from intrastyler_nnunet.evaluation.metrics import dice
from intrastyler_nnunet.grids import SamplingGrid, labels_onto
from intrastyler_nnunet.structures import LABELS, LATEST

STRUCTURES = {name: value for name, value in LABELS[LATEST].items() if value}


def dice_of(first: SimpleITK.Image, second: SimpleITK.Image, value: int) -> float:
    """Dice of one label; 1 if neither has it."""
    return dice(*(SimpleITK.GetArrayFromImage(image) == value for image in (first, second)))


def main() -> None:
    """Print and write FOLDER/put_back.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the walkthrough wrote")
    folder = parser.parse_args().folder
    geometry = next((folder / "nnUNet_raw").glob("Dataset123_*")) / "geometry"
    rows = []
    for path in sorted((folder / "restored").glob("*.nii.gz")):
        case = path.name.removesuffix(".nii.gz")
        record = read_record(geometry / f"{case}.json")
        truth = SimpleITK.ReadImage(str(folder / "download" / "truth" / "validation" / path.name))
        cut_truth = labels_onto(truth, record.region)
        restored, cut = SimpleITK.ReadImage(str(path)), SimpleITK.ReadImage(str(folder / "cleaned" / path.name))
        back_truth = labels_onto(cut_truth, SamplingGrid.of(truth))
        row = {"case": case}
        for name, value in STRUCTURES.items():
            row[name] = {
                "in_region": dice_of(cut, cut_truth, value), "put_back": dice_of(restored, truth, value),
                "true_labels_put_back": dice_of(back_truth, truth, value),
            }  # fmt: skip
        rows.append(row)
    means = {
        name: {key: float(np.mean([row[name][key] for row in rows])) for key in rows[0][name]} for name in STRUCTURES
    }
    means["all"] = {key: float(np.mean([means[name][key] for name in STRUCTURES])) for key in means["cochlea"]}
    for name, values in means.items():
        print(f"{name:14}", "  ".join(f"{key} {value:.3f}" for key, value in values.items()))
    (folder / "put_back.json").write_text(json.dumps({"means": means, "cases": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
