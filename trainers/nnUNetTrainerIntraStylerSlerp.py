"""Found by nnU-Net through nnUNet_extTrainer; the class is defined in the installed package."""

from intrastyler_nnunet.nnunet.trainer_variants import nnUNetTrainerIntraStylerSlerp

__all__ = ["nnUNetTrainerIntraStylerSlerp"]
