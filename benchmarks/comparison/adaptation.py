"""A new scanner: `intrastyler adapt` with 1, 3 and 10 of its images, and whether `intrastyler choose` finds the best.

    python -m benchmarks.comparison.adaptation -o FOLDER [--scale small] [--seeds 3] [-device cpu] [--publish]

For each seed the comparison's IntraStyler is trained, and for each of the two unseen scanners (interpolation,
extrapolation) it is compared with
- adapted: fine-tuned by `intrastyler adapt` for a tenth of its epochs, with 1, 3 or 10 unlabelled images;
- oracle: fine-tuned as long, with as many labelled images of the scanner among its training cases;
- scratch: synthesizer and segmenter trained from the beginning with 3 of the images among the exemplars.
All are scored on the comparison's test images of that scanner and of the seen sites. Then `intrastyler choose` ranks
eight models (the first one's last and best checkpoint, those adapted to this scanner and to the other one) on images of
each scanner, without labels and with five. Stopped at any moment, the same command goes on. Scale small takes
two cores about three and a half hours a seed.
"""

import argparse
import os
import shlex
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from benchmarks.comparison.adaptation_tables import draw_choices, lines_of, summary
from benchmarks.comparison.plan import METHODS, REFERENCE, SCALES, SYNTHESIZERS
from benchmarks.comparison.results import Results
from benchmarks.comparison.run import PLANS, REPOSITORY, Run
from benchmarks.comparison.scores import labels_of
from benchmarks.comparison.stages import data_stages, method_stages
from intrastyler_nnunet.adaptation.adapt import trained_settings
from intrastyler_nnunet.cli.options import add_device, whole_number
from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.errors import one_line_errors
from intrastyler_nnunet.evaluation.folder import evaluate_folder
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.locks import locked
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.fine_tuning import fine_tune
from intrastyler_nnunet.nnunet.target.case import TargetCase, preprocess
from intrastyler_nnunet.nnunet.trained_model import FINAL, read_model
from intrastyler_nnunet.simulation.plan import TRAINING_HEADS, plan_split
from intrastyler_nnunet.simulation.raw_dataset import write_case
from intrastyler_nnunet.typed_json import read_json
from intrastyler_nnunet.workflow import Stage, run_command, run_stages, seconds

SCANNERS = ("interpolation", "extrapolation")
COUNTS, SCRATCH = (1, 3, 10), 3  # new images
LABELLED = 5  # new images that `choose` gets beside the test images, and with them their labels
BEST = "best checkpoint"
FIRST_SUBJECT = 5000  # of the new images, beyond all others of a seed
METHOD = METHODS[REFERENCE]


@dataclass(frozen=True)
class Work:
    """One seed of it."""

    run: Run
    results: Results

    @property
    def epochs(self) -> int:
        return max(1, self.run.scale.segmenter.epochs // 10)

    @property
    def model(self) -> Path:
        run = self.run
        return run.models(METHOD) / run.dataset / f"{run.trainer}__{PLANS}__{run.configuration}"

    def made(self, kind: str, scanner: str, count: int) -> Path:
        """Folder of a model made from images of a scanner."""
        return self.run.folder / "new_models" / f"{kind}-{scanner}-{count}"

    def images(self, scanner: str, count: int | None = None) -> Path:
        """Folder of all new images of a scanner with their labels, or of the first ones alone."""
        return self.run.folder / "new_images" / (scanner if count is None else f"{scanner}-{count}")

    def stages(self) -> list[Stage]:
        """All that is measured."""
        run = self.run
        stages = [*data_stages(run), *method_stages(run, METHOD, self.results)]
        stages.append(Stage("score-before", partial(self.score, run.predictions(METHOD), "before", "none", 0, 0.0)))
        stages += [Stage(f"simulate-{scanner}", partial(self.simulate, scanner)) for scanner in SCANNERS]
        for scanner in SCANNERS:
            for count in COUNTS:
                for kind, make in (("adapted", self.adapt), ("oracle", self.oracle)):
                    name = f"{kind}-{scanner}-{count}"
                    stages.append(Stage(name, partial(make, scanner, count)))
                    stages.append(Stage(f"score-{name}", partial(self.predict_and_score, kind, scanner, count)))
            stages.append(Stage(f"scratch-{scanner}", partial(self.scratch, scanner)))
        stages.append(Stage("score-best-checkpoint", self.score_best_checkpoint))
        stages += [Stage(f"choose-{scanner}", partial(self.choose, scanner)) for scanner in SCANNERS]
        return stages

    def simulate(self, scanner: str) -> None:
        """The new images with their labels, each of a subject of its own."""
        first = FIRST_SUBJECT + SCANNERS.index(scanner) * max(COUNTS)
        cases = plan_split("test", max(COUNTS), [f"target_{scanner}"], self.run.seed, first, TRAINING_HEADS)
        for case in cases:
            named = replace(case, case=case.case.replace("test", f"new_{scanner}"))
            write_case(named, self.images(scanner), self.run.scale.grid, self.run.seed)
        for count in COUNTS:
            self.images(scanner, count).mkdir(exist_ok=True)
            for path in self.new_files(scanner)[:count]:
                shutil.copy2(path, self.images(scanner, count))

    def new_files(self, scanner: str) -> list[Path]:
        return sorted((self.images(scanner) / "imagesTs").iterdir())

    def adapt(self, scanner: str, count: int) -> None:
        generator = self.run.generator(SYNTHESIZERS[METHOD.synthesizer])
        options = f"--epochs {self.epochs} -device {self.run.device} -g {shlex.quote(str(generator))}"
        paths = (self.images(scanner, count), self.model, self.made("adapted", scanner, count))
        images, model, output = (shlex.quote(str(path)) for path in paths)
        with self.run.environment(METHOD):
            run_command(
                f"intrastyler adapt -d {self.run.number} -c {self.run.configuration} -i {images} -m {model} "
                f"-o {output} {options}"
            )

    def oracle(self, scanner: str, count: int) -> None:
        """Fine-tune with the labelled images as half of the training cases, as they are; the rest is translated."""
        run = self.run
        with run.environment(METHOD, nnUNet_n_proc_DA="0"):
            plans, dataset_json = folders.read_plans(run.dataset), folders.read_dataset_json(run.dataset)
            configuration = folders.read_configuration(plans, run.configuration)
            folder = folders.pseudo_label_folder(run.dataset, plans, run.configuration)
            folder.mkdir(exist_ok=True)
            names = [path.name.removesuffix("_0000.nii.gz") for path in self.new_files(scanner)[:count]]
            for name, path in zip(names, self.new_files(scanner), strict=False):
                labels = self.images(scanner) / "labelsTs" / f"{name}.nii.gz"
                preprocess(TargetCase(name, path, folder, plans, configuration, dataset_json, labels=labels))
            weight = max(1, round(run.scale.source / count))
            cases = run.folder / "settings" / f"oracle-{scanner}-{count}.json"
            write_json({"cases": dict.fromkeys(names, weight)}, cases)
            model = read_model(self.model)
            settings = replace(trained_settings(model), num_epochs=self.epochs, save_every=1, self_training=str(cases))
            output = self.made("oracle", scanner, count)
            fine_tune(model, "all", settings, output, run.dataset, torch.device(run.device), {})

    def predict_and_score(self, kind: str, scanner: str, count: int) -> None:
        """Stock nnU-Net on all test images."""
        name = f"{kind}-{scanner}-{count}"
        output = self.predict(self.made(kind, scanner, count), name)
        spent = seconds(self.run.folder / "wall_time" / f"{name}.json")
        self.score(output, kind, scanner, count, spent)

    def score_best_checkpoint(self) -> None:
        """A candidate for `choose` that costs no training."""
        output = self.predict(self.model, "best-checkpoint", "checkpoint_best.pth")
        self.score(output, BEST, "none", 0, 0.0)

    def predict(self, model: Path, name: str, checkpoint: str = FINAL) -> Path:
        """The folder of a model's label maps of the test images."""
        run, output = self.run, self.run.folder / "predictions" / name
        paths = shlex.join(["-m", str(model), "-i", str(run.tests / "imagesTs"), "-o", str(output)])
        with run.environment(METHOD):
            run_command(
                f"nnUNetv2_predict_from_modelfolder {paths} -f all -chk {checkpoint} -device {run.device} "
                "--disable_tta -npp 1 -nps 1"
            )
        return output

    def score(self, predictions: Path, kind: str, scanner: str, count: int, spent: float) -> None:
        """Add a row per test case of a model."""
        run = self.run
        sets = read_json(run.tests / "test_sets.json", dict[str, str], "the test set of each case")
        scores = evaluate_folder(predictions, run.tests / "labelsTs", labels_of(run))
        rows = [{"test_set": sets[case], "case": case, "seconds": spent, **row}
                for case, row in scores["cases"].items()]  # fmt: skip
        self.results.put(rows, table="scores", seed=run.seed, kind=kind, scanner=scanner, images=count)

    def scratch(self, scanner: str) -> None:
        """Everything from the beginning, in a folder of its own, with some new images among the target images."""
        run = replace(self.run, folder=self.run.folder / f"scratch-{scanner}")

        def add_new_images() -> None:
            for path in self.new_files(scanner)[:SCRATCH]:
                shutil.copy2(path, run.raw / "imagesTarget")

        stages = data_stages(run)
        stages.insert(1, Stage("add-new-images", add_new_images))
        run_stages(stages, run.folder)
        run_stages(method_stages(run, METHOD, Results(run.folder / "results.jsonl")), run.folder)
        trained = ("pretrain-intrastyler", "train-intrastyler")
        spent = sum(seconds(run.folder / "wall_time" / f"{name}.json") for name in trained)
        self.score(run.predictions(METHOD), "scratch", scanner, SCRATCH, spent)

    def choose(self, scanner: str) -> None:
        """Rank eight models on the scanner's test images and some new ones, without and with labels of these."""
        run, folder = self.run, self.run.folder / "choice" / scanner
        made = {f"{other}-{count}": self.made("adapted", other, count) for other in SCANNERS for count in COUNTS}
        models = [self.model / "fold_all", self.model / "fold_all" / "checkpoint_best.pth", *made.values()]
        keys = ["before", BEST, *made]
        labels = folder / "labels"
        labels.mkdir(parents=True, exist_ok=True)
        (folder / "images").mkdir(exist_ok=True)
        sets = read_json(run.tests / "test_sets.json", dict[str, str], "the test set of each case")
        tests = [run.tests / "imagesTs" / f"{case}_0000.nii.gz" for case, name in sets.items() if name == scanner]
        some = self.new_files(scanner)[:LABELLED]
        for path in (*tests, *some):
            shutil.copy2(path, folder / "images")
        for path in some:
            name = path.name.replace("_0000", "")
            shutil.copy2(self.images(scanner) / "labelsTs" / name, labels)
        generator = run.generator(SYNTHESIZERS[METHOD.synthesizer])
        given = shlex.join(["-i", str(folder / "images"), "-g", str(generator), "-m", *map(str, models)])
        for name, options in (("signs", ""), ("labels", f"-l {shlex.quote(str(labels))}")):
            output = folder / f"{name}.json"
            with run.environment(METHOD):
                run_command(
                    f"intrastyler choose -d {run.number} -c {run.configuration} -device {run.device} {given} {options} "
                    f"-o {shlex.quote(str(output))}"
                )
            result = read_json(output, dict, "a result of intrastyler choose")
            common = os.path.commonpath([path.resolve() for path in models])
            names = [os.path.relpath(path.resolve(), common) for path in models]
            rows = [row | {"key": keys[names.index(row["model"])]} for row in result["models"]]
            self.results.put(rows, table="choice", seed=run.seed, scanner=scanner, by=name)


def main() -> None:
    """Every stage of every seed that is left to do, then the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", dest="output", type=Path, required=True, help="folder to work in")
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--seeds", type=whole_number(1), default=3)
    parser.add_argument("--publish", action="store_true", help="also write result file and docs/choices.png")
    add_device(parser, "to train and predict")
    arguments = parser.parse_args()
    with one_line_errors("benchmarks.comparison.adaptation"):
        folder = arguments.output.absolute()
        results, device = Results(folder / "results.jsonl"), chosen_device(arguments.device).type
        with locked(folder):
            for seed in range(arguments.seeds):
                run = Run(folder / f"seed_{seed}", seed, SCALES[arguments.scale], device)
                run_stages(Work(run, results).stages(), run.folder)
                found = {"scale": arguments.scale, "seeds": seed + 1} | summary(results)
                write_json(found, folder / "adaptation.json")
                draw_choices(found, folder / "choices.png")
                print("\n".join(lines_of(found)), flush=True)
        if arguments.publish:
            shutil.copyfile(folder / "adaptation.json", REPOSITORY / "benchmarks" / "results" / "adaptation.json")
            shutil.copyfile(folder / "choices.png", REPOSITORY / "docs" / "choices.png")


if __name__ == "__main__":
    main()
