"""Found by nnU-Net through nnUNet_extTrainer: nnUNetTrainerIntraStyler_250epochs and so on."""

from intrastyler_nnunet.nnunet.trainer_variants import EPOCH_VARIANTS

__all__ = list(EPOCH_VARIANTS)
globals().update(EPOCH_VARIANTS)
