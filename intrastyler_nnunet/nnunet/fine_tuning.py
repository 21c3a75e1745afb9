"""A short training that begins with the weights of a trained model and goes into a folder of its own."""

import os
from pathlib import Path

import torch

from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.nnunet.any_trainer import with_intrastyler
from intrastyler_nnunet.nnunet.repeatable import RepeatableTraining
from intrastyler_nnunet.nnunet.settings import GENERATOR_VARIABLE, TrainerSettings
from intrastyler_nnunet.nnunet.trained_model import FINAL, TrainedModel
from intrastyler_nnunet.nnunet.trainer import TrainingOnTranslations

LATEST = "checkpoint_latest.pth"
RATE_SHARE = 0.1  # of the trainer's first learning rate, which is made for untrained networks
ORIGIN = "intrastyler_adapted_from"  # of a checkpoint's "init_args", which nnU-Net keeps and does not look into


class FineTuning(RepeatableTraining):
    """What a trainer of translations becomes when it is named before it in the bases of a class with these members."""

    model: TrainedModel  # whose weights it begins with
    own_settings: TrainerSettings  # instead of those of the settings file
    place: Path  # of the model that it makes

    @property
    def output_folder_base(self) -> str:
        """The new model's folder, not nnU-Net's for trainings of this class."""
        return str(self.place)

    @output_folder_base.setter
    def output_folder_base(self, value: str | None) -> None:
        """Nothing: nnU-Net sets its own."""

    def choose_settings(self) -> TrainerSettings:
        return self.own_settings

    def initialize(self) -> None:
        self.initial_lr *= RATE_SHARE
        super().initialize()
        network = getattr(self.network, "_orig_mod", self.network)  # what torch.compile wraps
        network.load_state_dict(self.model.weights(str(self.fold)))


def fine_tune(
    model: TrainedModel, fold: str, settings: TrainerSettings, output: Path, dataset: str, device: torch.device,
    origin: dict,
) -> None:  # fmt: skip
    """Train a fold of a model further, or go on where a killed call stopped; one that is finished is left alone.

    The trainer is the one that the checkpoint names, on translations. Interrupted or not, the weights are the same on
    a CPU, where the training process reads and augments the batches itself.

    Args:
        model: what to begin with; it is not changed.
        fold: of the model, whose split is trained on.
        settings: of the training.
        output: folder of the model to make.
        dataset: id or name; preprocessed.
        device: of the training.
        origin: what checkpoints say of where they come from, plain values.
    """
    folder = output / f"fold_{fold}"
    if (folder / FINAL).is_file():
        return
    base = model.trainer_class
    if not issubclass(base, TrainingOnTranslations):
        base = with_intrastyler(base)
    members = {"model": model, "own_settings": settings, "place": output}
    resume = (folder / LATEST).is_file()
    plans = folders.read_plans(dataset, model.plans.plans_name).plans | {"continue_training": resume}
    os.environ.pop(GENERATOR_VARIABLE, None)  # it would go before the settings'
    if device.type == "cpu":
        os.environ["nnUNet_n_proc_DA"] = "0"
    trainer = type(base.__name__, (FineTuning, base), members)(
        plans,
        model.configuration_name,
        fold if fold == "all" else int(fold),
        folders.read_dataset_json(dataset),
        device,
    )
    trainer.my_init_kwargs[ORIGIN] = origin
    torch.backends.cudnn.benchmark = device.type == "cuda"  # as nnU-Net's own command has it
    if resume:
        trainer.load_checkpoint(str(folder / LATEST))
    trainer.run_training()
