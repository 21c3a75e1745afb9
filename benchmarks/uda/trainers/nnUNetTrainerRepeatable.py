"""Found by nnU-Net through nnUNet_extTrainer; the class lives in a module, where it can be pickled."""
from benchmarks.uda.trainer import nnUNetTrainerRepeatable  # noqa: F401
