"""Found by nnU-Net through nnUNet_extTrainer; the classes live in a module, where they can be pickled."""

from benchmarks.comparison.trainer import (
    nnUNetTrainerRepeatable,
    nnUNetTrainerRepeatableDA5,
    nnUNetTrainerRepeatableGIN,
    nnUNetTrainerShort,
    nnUNetTrainerShortDA5,
    nnUNetTrainerShortGIN,
)

__all__ = [
    "nnUNetTrainerRepeatable",
    "nnUNetTrainerRepeatableDA5",
    "nnUNetTrainerRepeatableGIN",
    "nnUNetTrainerShort",
    "nnUNetTrainerShortDA5",
    "nnUNetTrainerShortGIN",
]
