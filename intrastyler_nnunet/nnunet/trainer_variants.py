"""Named variants of the trainer, for nnU-Net's habit of choosing by class name."""
from dataclasses import replace

from intrastyler_nnunet.nnunet.settings import TrainerSettings
from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler


class nnUNetTrainerIntraStylerNoTranslation(nnUNetTrainerIntraStyler):
    """The NoAdapt baseline: source images as they are, everything else as in `nnUNetTrainerIntraStyler`."""

    def choose_settings(self) -> TrainerSettings:
        return replace(super().choose_settings(), p_translate=0.0)
