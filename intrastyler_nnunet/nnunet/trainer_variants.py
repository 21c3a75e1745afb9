"""Named variants of the trainer, for nnU-Net's habit of choosing by class name."""
from dataclasses import replace

from intrastyler_nnunet.nnunet.settings import TrainerSettings
from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler


class nnUNetTrainerIntraStylerNoTranslation(nnUNetTrainerIntraStyler):
    """The NoAdapt baseline: source images as they are, everything else as in `nnUNetTrainerIntraStyler`."""

    def choose_settings(self) -> TrainerSettings:
        return replace(super().choose_settings(), p_translate=0.0)


class nnUNetTrainerIntraStylerSlerp(nnUNetTrainerIntraStyler):
    """Styles between two exemplars (SLERP): for few exemplars, or scanners between those that are known."""

    def choose_settings(self) -> TrainerSettings:
        return replace(super().choose_settings(), p_slerp=1.0)


class nnUNetTrainerIntraStylerBalanced(nnUNetTrainerIntraStyler):
    """Every cluster of styles counts the same: for target sets in which some scanners are rare."""

    def choose_settings(self) -> TrainerSettings:
        return replace(super().choose_settings(), policy="balanced")
