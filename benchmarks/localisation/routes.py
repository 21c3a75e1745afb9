"""The two routes to the cochleae, side by side: a network trained with this plug-in, and registration.

    python -m benchmarks.localisation.routes FOLDER      (about 40 minutes on one core; goes on where it stopped)

The network is a small nnU-Net for the cochlea alone, trained on translated full-field source images with the demo's
generator, which has only ever seen the cochlear region. Images: SimCrossMoDA as the challenge's folder, `small`.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import SimpleITK
from scipy.ndimage import center_of_mass, label

from intrastyler_nnunet.demo.stages import add_demo_configuration
from intrastyler_nnunet.shipped import shipped_generator, trainers_folder
from intrastyler_nnunet.simulation.patient import COCHLEA
from intrastyler_nnunet.workflow import run_command

RESULT = Path(__file__).parents[1] / "results" / "localisation_routes.json"
DATASET = "Dataset124_CrossMoDA2023Localiser"
MODEL = "-d 124 -c 3d_demo -f 0 -tr nnUNetTrainerIntraStyler -step_size 1"  # patches side by side: they are many
TRAINING = {"num_epochs": 20, "num_iterations_per_epoch": 50, "num_val_iterations_per_epoch": 4}


def predict_cochleae() -> None:
    """Everything from the simulation to a label map of the network for every T2 image, in the current folder."""
    run_command("intrastyler simulate --as-crossmoda download --scale small --seed 12")
    run_command("intrastyler crossmoda prepare -i download -d 124 --localiser --spacing 1 1 1.5 -np 2")
    run_command("nnUNetv2_plan_and_preprocess -d 124 -c 3d_fullres -np 2")
    add_demo_configuration(Path("nnUNet_preprocessed") / DATASET / "nnUNetPlans.json")
    run_command("intrastyler add-target -d 124 -c 3d_demo -np 2")
    Path("settings.json").write_text(json.dumps(TRAINING))
    trained = Path("nnUNet_results") / DATASET / "nnUNetTrainerIntraStyler__nnUNetPlans__3d_demo/fold_0"
    if not (trained / "checkpoint_final.pth").is_file():
        run_command("nnUNetv2_train 124 3d_demo 0 -tr nnUNetTrainerIntraStyler -device cpu")
    for images in ("imagesTarget", "imagesTs"):
        folder = f"nnUNet_raw/{DATASET}/{images}"
        run_command(f"nnUNetv2_predict {MODEL} -i {folder} -o predictions -device cpu --disable_tta")
    run_command(f"intrastyler crossmoda restore -i predictions -r nnUNet_raw/{DATASET}/geometry -o on_originals")
    run_command("intrastyler crossmoda localise -i download -o both --predictions on_originals -np 2")
    run_command("intrastyler crossmoda localise -i download -o registration -np 2")


def errors(report: Path) -> list[dict]:
    """For every case its route and the larger of the two distances (mm) from the true centres."""
    rows = []
    for finding in json.loads(report.read_text()):
        row = {"case": finding["case"], "route": finding["route"], "reasons": finding["reasons"]}
        if finding["cochleae"]:
            truth = SimpleITK.ReadImage(str(next(Path("download/truth").rglob(f"{finding['case']}.nii.gz"))))
            components, count = label(SimpleITK.GetArrayFromImage(truth) == COCHLEA, np.ones((3, 3, 3)))
            centres = center_of_mass(components > 0, components, range(1, count + 1))
            true = [truth.TransformContinuousIndexToPhysicalPoint([float(i) for i in c[::-1]]) for c in centres]
            distances = np.linalg.norm(np.array(true)[:, None] - np.array(finding["cochleae"])[None], axis=2)
            row["error_mm"] = round(float(distances.min(axis=1).max()), 2)
        rows.append(row)
    return rows


def main() -> None:
    """Run, print and write the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder to work in")
    folder = parser.parse_args().folder.absolute()
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(folder / name)
    os.environ |= {
        "nnUNet_extTrainer": str(trainers_folder()), "nnUNet_n_proc_DA": "1", "nnUNet_compile": "f",
        "INTRASTYLER_GENERATOR": str(shipped_generator()),
        "INTRASTYLER_SETTINGS": str(folder / "settings.json"),
    }  # fmt: skip
    os.chdir(folder)
    predict_cochleae()
    network = [row for row in errors(Path("both/localisation.json")) if row["route"] == "network"]
    registration = [row for row in errors(Path("registration/localisation.json")) if row["route"] == "registration"]
    total = len(json.loads(Path("both/localisation.json").read_text()))
    summary = {"images": total}
    for route, rows in (("network", network), ("registration", registration)):
        distances = [row["error_mm"] for row in rows]
        summary[route] = {
            "believed": len(rows), "median_error_mm": float(np.median(distances)) if rows else None,
            "largest_error_mm": max(distances, default=None),
        }  # fmt: skip
    print(json.dumps(summary, indent=2))
    cases = {"network_first": errors(Path("both/localisation.json")),
             "registration_alone": errors(Path("registration/localisation.json"))}  # fmt: skip
    RESULT.write_text(json.dumps(summary | cases, indent=2) + "\n")


if __name__ == "__main__":
    main()
