"""nnU-Net's training with every random number seeded, in lengths that a CPU can do, and without target images."""

import os

import torch
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerDA5 import nnUNetTrainerDA5

from benchmarks.comparison.random_convolutions import apply_random_convolutions, sample_random_convolutions
from intrastyler_nnunet.nnunet.repeatable import RepeatableTraining
from intrastyler_nnunet.nnunet.short_training import nnUNetTrainerShort
from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler

RANDOM_CONVOLUTIONS = 6  # a stream of random numbers beside the trainer's


class nnUNetTrainerRepeatable(RepeatableTraining, nnUNetTrainerIntraStyler):
    """`nnUNetTrainerIntraStyler` that gives the same weights again, see `RepeatableTraining`.

    The number of threads changes the order of sums: nnU-Net takes all cores, here OMP_NUM_THREADS counts. There is no
    final validation: the benchmark scores test images.
    """

    def initialize(self):
        if self.device.type == "cpu":
            torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        super().initialize()

    def perform_actual_validation(self, save_probabilities: bool = False):
        """None."""


class nnUNetTrainerRepeatableDA5(nnUNetTrainerRepeatable, nnUNetTrainerDA5):
    """nnU-Net's strongest augmentation, of images as they are."""


class nnUNetTrainerRepeatableGIN(nnUNetTrainerRepeatable):
    """Every training image through a random shallow network (`random_convolutions`), then nnU-Net's augmentation."""

    def _augmented(self, images: torch.Tensor, outside: torch.Tensor | None) -> torch.Tensor:
        networks = sample_random_convolutions(self._rng(RANDOM_CONVOLUTIONS), *images.shape[:2])
        images = apply_random_convolutions(images, networks)
        if outside is not None:
            images = images.masked_fill(outside, 0.0)  # as padding is at inference
        return super()._augmented(images, outside)


class nnUNetTrainerRepeatableShort(nnUNetTrainerRepeatable, nnUNetTrainerShort):
    """Images translated, or as they are, for minutes."""


class nnUNetTrainerRepeatableShortDA5(nnUNetTrainerRepeatableShort, nnUNetTrainerDA5):
    """`nnUNetTrainerRepeatableDA5`, short."""


class nnUNetTrainerRepeatableShortGIN(nnUNetTrainerRepeatableGIN, nnUNetTrainerShort):
    """`nnUNetTrainerRepeatableGIN`, short."""
