"""The stages of one seed but pretraining: from images to scores, each a real command or a function of a few lines."""

import shlex
import shutil
from collections.abc import Callable
from functools import partial

from benchmarks.comparison import own_data, simulated
from benchmarks.comparison.plan import SYNTHESIZERS, Method
from benchmarks.comparison.pretraining import subdomains
from benchmarks.comparison.results import Results
from benchmarks.comparison.run import BASE_CONFIGURATION, ORACLE, PLANS, Run
from benchmarks.comparison.scores import score_predictions
from intrastyler_nnunet.demo.stages import add_demo_configuration
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.nnunet.descriptions import PlansDescription
from intrastyler_nnunet.typed_json import read_json
from intrastyler_nnunet.workflow import Stage, run_command


def data_stages(run: Run) -> list[Stage]:
    """Images, preprocessed, with the configuration that all segmenters share."""
    if run.own_data:
        return [
            Stage("link", lambda: own_data.link(run.own_data, run.raw, run.preprocessed)),
            Stage("configure", lambda: configure(run)),
        ]
    return [
        Stage("simulate", lambda: simulated.simulate_training(run.scale, run.seed, run.raw)),
        _command(
            run, "preprocess", f"nnUNetv2_plan_and_preprocess -d {run.number} -c {BASE_CONFIGURATION} -np 1 -npfp 1"
        ),
        Stage("configure", lambda: configure(run)),
        _command(run, "add-target", f"intrastyler add-target -d {run.number} -c {BASE_CONFIGURATION} -np 1"),
    ]  # fmt: skip


def segmenter_stages(run: Run, method: Method, results: Results) -> list[Stage]:
    """From a method's images to its scores; the data and its generators are there."""
    return [
        *image_stages(run, method),
        Stage(f"train-{method.key}", lambda: train(run, method)),
        Stage(f"predict-{method.key}", lambda: predict(run, method)),
        Stage(f"score-{method.key}", partial(score_predictions, run, method, results)),
    ]


def image_stages(run: Run, method: Method) -> list[Stage]:
    """The training images of a method that has its own, through the very plans of the source images."""
    if method.images == "source":
        return []
    if method.images == "oracle":
        raw = run.raw.with_name(ORACLE)
        make = Stage("simulate-oracle", lambda: simulated.simulate_oracle(run.scale, run.seed, raw))
    else:
        generator = shlex.quote(str(run.generator(SYNTHESIZERS[method.synthesizer])))
        make = _command(
            run, "synthesize",
            f"intrastyler synthesize -d {run.number} -c {run.configuration} -g {generator} -o {run.offline_number} "
            f"--styles-per-case {run.scale.styles_per_case} --seed {run.seed} -device {run.device}",
            method,
        )  # fmt: skip
    dataset = run.dataset_of(method)
    return [
        make,
        Stage(f"plan-{method.key}", lambda: copy_plans(run, dataset)),
        _command(
            run, f"preprocess-{method.key}",
            f"nnUNetv2_preprocess -d {_number(dataset)} -c {BASE_CONFIGURATION} -np 1", method,
        ),
    ]  # fmt: skip


def configure(run: Run) -> None:
    """Add the configuration to the plans, unless nnU-Net's own is trained."""
    segmenter = run.scale.segmenter
    if segmenter.patch_size is not None:
        add_demo_configuration(
            run.preprocessed / f"{PLANS}.json", run.configuration, segmenter.patch_size, segmenter.batch_size,
            segmenter.narrowing,
        )  # fmt: skip


def copy_plans(run: Run, dataset: str) -> None:
    """Give another data set the plans of the source images, with the fingerprint they were made from."""
    folder = run.preprocessed.with_name(dataset)
    plans = read_json(run.preprocessed / f"{PLANS}.json", PlansDescription, "nnU-Net's plans", "allow")
    write_json(plans | {"dataset_name": dataset}, folder / f"{PLANS}.json")
    shutil.copy(run.raw.with_name(dataset) / "dataset.json", folder)
    shutil.copy(run.preprocessed / "dataset_fingerprint.json", folder)


def trainer_settings(run: Run, method: Method) -> dict:
    """Entries of the trainer's settings file."""
    settings = {"seed": run.seed, "p_translate": 0.0, **run.scale.segmenter.settings()}
    if method.synthesizer and method.images == "source":
        synthesizer = SYNTHESIZERS[method.synthesizer]
        generators = [str(run.generator(synthesizer, name)) for name in subdomains(run, synthesizer)]
        settings |= {
            "p_translate": 1.0, "policy": method.policy, "p_slerp": method.p_slerp,
            "generator": generators if len(generators) > 1 else generators[0],
        }  # fmt: skip
    return settings


def train(run: Run, method: Method) -> None:
    """Train on all labelled cases, or go on where an interrupted training stopped."""
    write_json(trainer_settings(run, method), run.settings(method))
    dataset = run.dataset_of(method)
    model = run.models(method) / dataset / f"{run.trainer(method)}__{PLANS}__{run.configuration}" / "fold_all"
    resume = " --c" if any(model.glob("checkpoint_*.pth")) else ""
    # On a CPU the training process augments, see `trainer`; a GPU waits for no one.
    workers = {"nnUNet_n_proc_DA": "0"} if run.device == "cpu" else {}
    with run.environment(method, **workers):
        run_command(
            f"nnUNetv2_train {_number(dataset)} {run.configuration} all -tr {run.trainer(method)} "
            f"-device {run.device}{resume}"
        )


def predict(run: Run, method: Method) -> None:
    """Predict the test images with stock nnU-Net."""
    with run.environment(method):
        run_command(
            f"nnUNetv2_predict -i {shlex.quote(str(run.tests / 'imagesTs'))} "
            f"-o {shlex.quote(str(run.predictions(method)))} -d {_number(run.dataset_of(method))} "
            f"-c {run.configuration} -f all -tr {run.trainer(method)} -device {run.device} --disable_tta -npp 0 -nps 0"
        )


def _command(run: Run, name: str, line: str, method: Method | None = None) -> Stage:
    return Stage(name, _within(run, method, partial(run_command, line)))


def _within(run: Run, method: Method | None, work: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        with run.environment(method):
            work()

    return call


def _number(dataset: str) -> int:
    return int(dataset[len("Dataset") :].split("_")[0])
