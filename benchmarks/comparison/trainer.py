"""nnU-Net's training with every random number seeded, as the comparison's segmenters are trained."""

import os

import torch
from nnunetv2.training.nnUNetTrainer.variants.optimizer.nnUNetTrainerAdam import nnUNetTrainerAdam1en3

from intrastyler_nnunet.nnunet.repeatable import RepeatableTraining
from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler


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


class nnUNetTrainerShort(nnUNetTrainerRepeatable, nnUNetTrainerAdam1en3):
    """For short trainings: nnU-Net's AdamW instead of SGD, which finds a cochlea in time only by chance."""
