"""A model that nnU-Net trained: its folder, checked before anything is made of it."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.any_trainer import stock_trainer
from intrastyler_nnunet.nnunet.checkpoints import ENTRY
from intrastyler_nnunet.nnunet.descriptions import DatasetDescription, PlansDescription
from intrastyler_nnunet.nnunet.folders import read_configuration
from intrastyler_nnunet.nnunet.settings import checksum
from intrastyler_nnunet.typed_json import read_json

FINAL = "checkpoint_final.pth"
EXPECTED = "expected a folder that nnUNetv2_train wrote, such as nnUNetTrainerIntraStyler__nnUNetPlans__3d_fullres"


@dataclass(frozen=True)
class TrainedModel:
    """Folds of a model that nnU-Net trained.

    Attributes:
        folder: TRAINER__PLANS__CONFIGURATION, with plans.json and dataset.json.
        folds: "0", "1" and so on, or "all"; at least one.
        checkpoint: file name in each fold's folder.
    """

    folder: Path
    folds: tuple[str, ...]
    checkpoint: str = FINAL

    @cached_property
    def plans(self) -> PlansManager:
        """The plans it was trained by."""
        return PlansManager(dict(read_json(self.folder / "plans.json", PlansDescription, "nnU-Net's plans", "allow")))

    @cached_property
    def dataset_json(self) -> dict:
        """nnU-Net's description of what it was trained on."""
        path = self.folder / "dataset.json"
        return dict(read_json(path, DatasetDescription, "nnU-Net's dataset.json", "allow"))

    @cached_property
    def configuration_name(self) -> str:
        """Of the plans."""
        return self._first["init_args"]["configuration"]

    @property
    def configuration(self) -> ConfigurationManager:
        """What the plans say of it. Raises InputError if they do not."""
        return read_configuration(self.plans, self.configuration_name)

    @cached_property
    def labels(self) -> list[int | tuple[int, ...]]:
        """Label values of its structures, several values for one of nnU-Net's regions."""
        manager = self.plans.get_label_manager(self.dataset_json)
        if manager.has_regions:
            return [tuple(map(int, np.atleast_1d(region))) for region in manager.foreground_regions]
        return list(map(int, manager.foreground_labels))

    @cached_property
    def provenance(self) -> dict | None:
        """What its checkpoint says of its training on translations, see `checkpoints.provenance`; None: nothing."""
        return self._first["init_args"].get(ENTRY)

    @property
    def trainer_class(self) -> type[nnUNetTrainer]:
        """The class that its checkpoint names. Raises InputError if it is not installed."""
        name = self._first["trainer_name"]
        found = stock_trainer(name)
        if found is not None:
            return found
        try:
            from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name  # since 2.8

            return recursive_find_trainer_class_by_name(name)
        except (ImportError, RuntimeError):
            message = f"{self.folder}: trained by {name}, expected a trainer of nnU-Net or one in nnUNet_extTrainer"
            raise InputError(message) from None

    def path(self, fold: str) -> Path:
        """The checkpoint of a fold."""
        return self.folder / f"fold_{fold}" / self.checkpoint

    def sha256(self) -> dict[str, str]:
        """Checksum of each fold's checkpoint."""
        return {fold: checksum(self.path(fold)) for fold in self.folds}

    def weights(self, fold: str) -> dict[str, torch.Tensor]:
        """The network's weights in a fold's checkpoint. Raises InputError if it is no checkpoint of nnU-Net."""
        return _read(self.path(fold))["network_weights"]

    @cached_property
    def _first(self) -> dict:
        """The first fold's checkpoint without its weights, which folds have in common."""
        content = _read(self.path(self.folds[0]))
        return {name: content[name] for name in ("init_args", "trainer_name")}


def read_model(path: Path, folds: list[str] | None = None) -> TrainedModel:
    """A model, some of its folds, or one checkpoint.

    Args:
        path: folder of a model (all folds that were trained to their end), of a fold, or a checkpoint file.
        folds: of a model, only these.

    Raises:
        InputError: it is no model of nnU-Net, which is found out by reading its checkpoint; there is no such fold.
    """
    folder, checkpoint = (path.parent, path.name) if path.suffix == ".pth" else (path, FINAL)
    fold = re.fullmatch(r"fold_(\d+|all)", folder.resolve().name)
    if fold is not None:
        folder, folds = folder.resolve().parent, [fold[1]]
    if not folder.is_dir():
        raise InputError(f"{path}: no such folder, {EXPECTED}")
    for name in ("plans.json", "dataset.json"):
        if not (folder / name).is_file():
            raise InputError(f"{path}: found no {name}, {EXPECTED}")
    trained = sorted(
        place.name.removeprefix("fold_") for place in folder.glob("fold_*") if (place / checkpoint).is_file()
    )
    missing = [name for name in folds or trained or ["0"] if name not in trained]
    if missing:
        raise InputError(f"{folder / f'fold_{missing[0]}' / checkpoint}: no such file, {EXPECTED}")
    # Of a model, all folds but the one of all cases, as nnU-Net predicts with them.
    chosen = folds or [name for name in trained if name != "all"] or trained
    model = TrainedModel(folder, tuple(chosen), checkpoint)
    _ = model.plans, model.dataset_json, model.configuration
    return model


def _read(path: Path) -> dict:
    """A checkpoint, which is nnU-Net's pickle; see docs/settings.md. Weights are read when they are needed."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=False, mmap=True)
    except Exception as error:  # whatever a file that is none raises
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read ({reason}), expected a checkpoint of nnU-Net") from None
    expected = {"network_weights", "init_args", "trainer_name"}
    if not isinstance(content, dict) or not expected <= content.keys():
        raise InputError(f"{path}: found no {', '.join(sorted(expected))}, expected a checkpoint of nnU-Net")
    return content
