"""Found by nnU-Net through nnUNet_extTrainer; the classes live in a module, where they can be pickled."""

from benchmarks.comparison.trainer import nnUNetTrainerRepeatable, nnUNetTrainerShort

__all__ = ["nnUNetTrainerRepeatable", "nnUNetTrainerShort"]
