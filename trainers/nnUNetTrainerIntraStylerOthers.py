"""Found by nnU-Net through nnUNet_extTrainer: nnUNetTrainerIntraStylerDA5 and so on, for every trainer of nnU-Net."""

from intrastyler_nnunet.nnunet import any_trainer


def __getattr__(name: str):
    return getattr(any_trainer, name)
