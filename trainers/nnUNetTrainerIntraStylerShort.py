"""Found by nnU-Net through nnUNet_extTrainer; the classes are defined in the installed package."""

from intrastyler_nnunet.nnunet.trainer_variants import (
    nnUNetTrainerIntraStylerNoTranslationShort,
    nnUNetTrainerIntraStylerShort,
)

__all__ = ["nnUNetTrainerIntraStylerNoTranslationShort", "nnUNetTrainerIntraStylerShort"]
