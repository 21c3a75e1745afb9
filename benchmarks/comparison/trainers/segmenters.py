"""Found by nnU-Net through nnUNet_extTrainer; the classes live in a module, where they can be pickled."""

from benchmarks.comparison.trainer import (
    nnUNetTrainerRepeatable,
    nnUNetTrainerRepeatableDA5,
    nnUNetTrainerRepeatableGIN,
    nnUNetTrainerRepeatableShort,
    nnUNetTrainerRepeatableShortDA5,
    nnUNetTrainerRepeatableShortGIN,
)

__all__ = [
    "nnUNetTrainerRepeatable",
    "nnUNetTrainerRepeatableDA5",
    "nnUNetTrainerRepeatableGIN",
    "nnUNetTrainerRepeatableShort",
    "nnUNetTrainerRepeatableShortDA5",
    "nnUNetTrainerRepeatableShortGIN",
]
