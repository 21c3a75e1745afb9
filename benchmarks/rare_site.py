"""A rare scanner: does drawing clusters of styles equally often help it, and what does it cost the others?

    python -m benchmarks.rare_site FOLDER      (goes on where it stopped)

To see it work in minutes: --scale small --epochs 1 --iterations 2. With --scale small the committed result took 25
minutes on one core, without nnU-Net's final validations.

SimCrossMoDA with 2 exemplars of site target_c, about one in twenty. Two trainings with the demo's settings,
which differ in the policy alone; Dice of each on test images of every site.
"""

import argparse
from pathlib import Path

from intrastyler_nnunet.demonstration.stages import (
    BASE_CONFIGURATION,
    CONFIGURATION,
    DATASET,
    NAME,
    PLANS,
    TRAINING,
    Stage,
    add_demo_configuration,
    run_command,
    run_stages,
    set_environment,
    train,
)
from intrastyler_nnunet.evaluation.folder import evaluate_folder
from intrastyler_nnunet.evaluation.labels import CROSSMODA_LABELS
from intrastyler_nnunet.files import read_json, write_json
from intrastyler_nnunet.pretrained_generators import shipped_generator

RESULT = Path(__file__).parent / "results" / "rare_site.json"
RARE_SITE, RARE_EXEMPLARS, COMMON_EXEMPLARS = "target_c", 2, 19
TRAINERS = {"uniform": "nnUNetTrainerIntraStyler", "balanced": "nnUNetTrainerIntraStylerBalanced"}
SEED = 11  # the shipped generator was trained on another seed's subjects


def make_rare(raw: Path) -> None:
    """Leave COMMON_EXEMPLARS exemplars of every site, and RARE_EXEMPLARS of the rare one."""
    left: dict[str, int] = {}
    for record in read_json(raw / "sites.json")["cases"]:
        if record["split"] == "target":
            site = record["site"]
            left[site] = left.get(site, 0) + 1
            if left[site] > (RARE_EXEMPLARS if site == RARE_SITE else COMMON_EXEMPLARS):
                (raw / "imagesTarget" / f"{record['case']}_0000.nii.gz").unlink(missing_ok=True)


def configure(folder: Path, training: dict) -> None:
    """The demo's configuration, and the trainer's settings."""
    add_demo_configuration(folder / "nnUNet_preprocessed" / NAME / f"{PLANS}.json")
    write_json(training, folder / "training.json")


def stages(folder: Path, scale: str, training: dict) -> list[Stage]:
    """From the simulation to the predictions of both policies."""
    raw = folder / "nnUNet_raw" / NAME
    lines = {
        "simulate": f"intrastyler simulate -d {DATASET} --scale {scale} --seed {SEED} -np 1",
        "preprocess": f"nnUNetv2_plan_and_preprocess -d {DATASET} -c {BASE_CONFIGURATION} -np 1 -npfp 1",
        "add-target": f"intrastyler add-target -d {DATASET} -c {CONFIGURATION} -np 1",
    }
    simulate, preprocess, add_target = (
        Stage(name, lambda line=line: run_command(line)) for name, line in lines.items()
    )
    result = [
        simulate,
        Stage("make-rare", lambda: make_rare(raw)),
        preprocess,
        Stage("configure", lambda: configure(folder, training)),
        add_target,
    ]
    for policy, trainer in TRAINERS.items():
        predict = (
            f"nnUNetv2_predict -i {raw / 'imagesTs'} -o {folder / 'predictions' / policy} -d {DATASET} "
            f"-c {CONFIGURATION} -f 0 -tr {trainer} -device cpu --disable_tta -npp 1 -nps 1"
        )
        result += [
            Stage(f"train-{policy}", lambda trainer=trainer: train(folder, trainer, "cpu")),
            Stage(f"predict-{policy}", lambda line=predict: run_command(line)),
        ]
    return result


def scores(folder: Path) -> dict:
    """Mean Dice by policy and site, and the worst site of each policy."""
    raw = folder / "nnUNet_raw" / NAME
    cases: dict[str, list[str]] = {}
    for record in read_json(raw / "sites.json")["cases"]:
        if record["split"] == "test":
            cases.setdefault(record["site"], []).append(record["case"])
    dice = {
        policy: {
            site: evaluate_folder(folder / "predictions" / policy, raw / "labelsTs", CROSSMODA_LABELS, cases=names)[
                "mean_dice"
            ]
            for site, names in cases.items()
        }
        for policy in TRAINERS
    }
    worst = {policy: min(by_site, key=by_site.get) for policy, by_site in dice.items()}
    gain = {site: dice["balanced"][site] - dice["uniform"][site] for site in cases}
    return {"dice": dice, "worst_site": worst, "gain_of_balanced": gain}


def main() -> None:
    """Run what is left to do, then write the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="data, models and predictions; call again to continue")
    parser.add_argument(
        "--scale", default="pretraining", choices=("small", "pretraining"), help="of the simulation; small for a trial"
    )
    parser.add_argument("--epochs", type=int, default=15, help="of 50 iterations; more for a better network")
    parser.add_argument("--iterations", type=int, default=50, help="per epoch")
    parser.add_argument("-o", dest="output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    training = TRAINING | {"num_epochs": arguments.epochs, "num_iterations_per_epoch": arguments.iterations}
    set_environment(folder, shipped_generator("simcrossmoda_small"))
    run_stages(stages(folder, arguments.scale, training), folder)
    total = len(list((folder / "nnUNet_raw" / NAME / "imagesTarget").iterdir()))
    exemplars = {"rare": RARE_EXEMPLARS, "others": total - RARE_EXEMPLARS, "rare_site": RARE_SITE}
    write_json({"training": training, "exemplars": exemplars, **scores(folder)}, arguments.output)


if __name__ == "__main__":
    main()
