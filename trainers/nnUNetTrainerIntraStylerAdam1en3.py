"""Found by nnU-Net through nnUNet_extTrainer; the classes are defined in the installed package."""

from intrastyler_nnunet.nnunet.trainer_variants import (
    nnUNetTrainerIntraStylerAdam1en3,
    nnUNetTrainerIntraStylerNoTranslationAdam1en3,
)

__all__ = ["nnUNetTrainerIntraStylerAdam1en3", "nnUNetTrainerIntraStylerNoTranslationAdam1en3"]
