"""Found by nnU-Net through nnUNet_extTrainer; the class lives in the package, where it can be pickled."""

from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler

__all__ = ["nnUNetTrainerIntraStyler"]
