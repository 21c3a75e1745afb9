"""Both trainings, and both predictions, at the same time: a process and a core for each."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, wait
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from tqdm import tqdm

from intrastyler_nnunet.demo.places import CONFIGURATION, DATASET, TRAINERS, DemoPlaces
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.workers import workers

EPOCH_ENDED = "Epoch time:"  # of nnU-Net's log


def train_side_by_side(places: DemoPlaces, device: str, epochs: int) -> None:
    """Train fold 0 of every method, or go on where an interrupted training stopped."""

    def epochs_done() -> int:
        counts = [
            places.log(method).read_text().count(EPOCH_ENDED) for method in TRAINERS if places.log(method).exists()
        ]
        return sum(min(count, epochs) for count in counts)

    _side_by_side(train_method, places, device, epochs_done, epochs * len(TRAINERS), "epoch")


def predict_side_by_side(places: DemoPlaces, device: str) -> None:
    """Predict the test images with every method's model."""

    def images_done() -> int:
        return sum(len(list(places.predictions(method).glob("*.nii.gz"))) for method in TRAINERS)

    count = len(list(places.tests.glob("*.nii.gz")))
    _side_by_side(predict_method, places, device, images_done, count * len(TRAINERS), "image")


def train_method(places: DemoPlaces, device: str, method: str) -> None:
    """What `nnUNetv2_train` does, with the number of threads that this process has, and no final validation."""
    import torch
    from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint

    fold = places.model(method) / "fold_0"
    begun = (fold / "checkpoint_latest.pth").exists()
    if not (fold / "checkpoint_final.pth").exists():
        with _logged(places.log(method)):
            trainer = get_trainer_from_args(
                DATASET, CONFIGURATION, 0, TRAINERS[method], continue_training=begun, device=torch.device(device)
            )
            maybe_load_checkpoint(trainer, begun, False)
            trainer.run_training()
    (fold / "checkpoint_latest.pth").unlink(missing_ok=True)  # nnU-Net does, unless it is killed before


def predict_method(places: DemoPlaces, device: str, method: str) -> None:
    """What `nnUNetv2_predict` does without mirroring, in this process."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    from intrastyler_nnunet.translation.precision import translation_precision

    with _logged(places.log(method)), translation_precision(torch.device(device)):
        predictor = nnUNetPredictor(
            use_mirroring=False, perform_everything_on_device=device == "cuda", device=torch.device(device),
            allow_tqdm=False,
        )  # fmt: skip
        predictor.initialize_from_trained_model_folder(str(places.model(method)), (0,))
        places.predictions(method).mkdir(parents=True, exist_ok=True)
        predictor.predict_from_files_sequential(str(places.tests), str(places.predictions(method)))


def _side_by_side(
    job: Callable[[DemoPlaces, str, str], None],
    places: DemoPlaces,
    device: str,
    done: Callable[[], int],
    total: int,
    unit: str,
) -> None:
    """Run a job of every method with a common progress bar, which `done` tells how far they are."""
    print("logs:", *(places.log(method) for method in TRAINERS), flush=True)
    with workers(len(TRAINERS)) as pool, tqdm(total=total, unit=unit, desc=", ".join(TRAINERS)) as bar:
        jobs = [pool.submit(_on_one_core, job, places, device, method) for method in TRAINERS]
        while True:
            pending = wait(jobs, timeout=1, return_when=FIRST_EXCEPTION).not_done
            bar.update(done() - bar.n)
            if not pending or any(future.done() and future.exception() for future in jobs):
                break
        for future in jobs:
            future.result()


def _on_one_core(job: Callable[[DemoPlaces, str, str], None], places: DemoPlaces, device: str, method: str) -> None:
    import torch

    torch.set_num_threads(1)
    os.environ["nnUNet_n_proc_DA"] = "0"  # augment here, too: seeded, and without a second process
    job(places, device, method)


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """What is printed in the block goes to the end of a file; where nnU-Net ends its process, one line says so."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file, redirect_stdout(file), redirect_stderr(file):
        try:
            yield
        except SystemExit:
            file.flush()
            raise InputError(path.read_text().splitlines()[-1]) from None
