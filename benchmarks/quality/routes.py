"""Does `intrastyler translate` make of raw files what the trainer makes of their preprocessed cases? (simulated data)

    python -m benchmarks.quality.routes

Ten simulated sources go both ways to the style of one exemplar, with the shipped generator's weights and three label
hints. For each: the largest difference of any voxel, in standard deviations of the translation, and the means in tumour
and cochlea by either route, in the exemplar's z-scores.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import SimpleITK
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from tqdm import tqdm

from benchmarks.quality.synthesis_quality import SEED
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import LabelHint
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.exemplar_translation import load_exemplar_translation
from intrastyler_nnunet.nnunet.target.add import add_target
from intrastyler_nnunet.offline.image_files import style_from_bank, translate_file
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.simulation.plan import plan_dataset
from intrastyler_nnunet.simulation.raw_dataset import dataset_json, write_case
from intrastyler_nnunet.styles.sampling import StyleDraw
from intrastyler_nnunet.workflow import run_command

DATASET, CONFIGURATION, SCALE = 995, "3d_fullres", "small"
CASES, EXEMPLARS = 10, 3


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    output = Path(__file__).parents[1] / "results" / "routes.json"
    parser.add_argument("-o", dest="output", type=Path, default=output)
    arguments = parser.parse_args()
    shipped = Generator.load(shipped_generator())
    hints = {"none": None, "released": LabelHint(), "levels": shipped.metadata.label_hint}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        raw = make_dataset(folder)
        results = {}
        for name, hint in hints.items():
            shipped.metadata = replace(shipped.metadata, label_hint=hint)
            shipped.save(folder / f"{name}.safetensors")
            results[name] = compare_routes(folder / f"{name}.safetensors", raw, folder / "out.nii.gz")
            print(name, results[name], flush=True)
    write_json({"generator": shipped_generator().name, "cases": CASES, "hints": results}, arguments.output)


def make_dataset(folder: Path) -> Path:
    """Simulate and preprocess sources and exemplars below `folder`; returns the raw dataset."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ[name] = str(folder / name)
    raw = folder / "nnUNet_raw" / f"Dataset{DATASET}_Routes"
    cases = plan_dataset(SCALE, SEED, paired=False, test_head="colin27")
    for split, count in (("source", CASES), ("target", EXEMPLARS)):
        for case in [case for case in cases if case.split == split][:count]:
            write_case(case, raw, SCALE, SEED)
    write_json(dataset_json(CASES), raw / "dataset.json")
    run_command(f"nnUNetv2_plan_and_preprocess -d {DATASET} -c {CONFIGURATION} -npfp 1 -np 1")
    add_target(DATASET, "nnUNetPlans", 1, [CONFIGURATION])
    return raw


def compare_routes(generator: Path, raw: Path, output: Path) -> dict:
    """The largest difference over all cases, and each case's means in tumour and cochlea by either route."""
    plans = folders.read_plans(DATASET)
    translation, _ = load_exemplar_translation([generator], plans, CONFIGURATION, torch.device("cpu"), regions=False)
    dataset = nnUNetDatasetBlosc2(str(folders.configuration_folder(DATASET, plans, CONFIGURATION)))
    bank, translator = translation.banks[0], translation.translators[0]
    style = style_from_bank(bank, bank.names[0], generator)
    differences, means = [], {}
    for case in tqdm(dataset.identifiers, generator.stem):
        image, labels, _, properties = dataset.load_case(case)
        (trained,) = translation.translate_case(image[:], labels[:], case, StyleDraw.of(np.array([0])))
        paths = raw / "imagesTr" / f"{case}_0000.nii.gz", raw / "labelsTr" / f"{case}.nii.gz"
        translate_file(translator, *paths, [style], [output], slab=64)
        box = tuple(slice(*bounds) for bounds in properties["bbox_used_for_cropping"])
        found = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(output)))[box]
        differences.append(float(np.abs(found - trained[0]).max() / trained.std()))
        structures = {"tumour": np.isin(labels[0], (1, 2)), "cochlea": labels[0] == 3}
        means[case] = {
            name: {
                "translate": round(float(found[mask].mean()), 4),
                "trainer": round(float(trained[0][mask].mean()), 4),
            }
            for name, mask in structures.items()
        }
    return {"largest_difference": max(differences), "means": means}


def _mean(voxels: np.ndarray) -> float:
    return round(float(voxels.mean()), 4)


if __name__ == "__main__":
    main()
