"""nnU-Net's training with every random number seeded, in lengths that a CPU can do, and without target images."""

import os
import random

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerDA5 import nnUNetTrainerDA5

from benchmarks.comparison.random_convolutions import apply_random_convolutions, sample_random_convolutions
from benchmarks.quality.segmenter_training import one_cycle, quick_forward
from intrastyler_nnunet.nnunet.trainer import nnUNetTrainerIntraStyler

RANDOM_CONVOLUTIONS = 2  # a stream of random numbers beside the trainer's


class nnUNetTrainerRepeatable(nnUNetTrainerIntraStyler):
    """`nnUNetTrainerIntraStyler` that gives the same weights for the same settings, also when it is interrupted.

    On the same machine, that is: another one rounds in its own way.

    What nnU-Net leaves to chance, and what is done about it:
    - the weights at the start: drawn by torch's global generator, which is seeded before the network is built;
    - patches and spatial augmentation: drawn by the global generators of NumPy and torch in worker processes that
      seed themselves. With `nnUNet_n_proc_DA=0`, which the benchmark sets on a CPU, the training process draws them,
      and the generators are seeded anew for every epoch;
    - the number of threads, which changes the order of sums: nnU-Net takes all cores, here OMP_NUM_THREADS counts;
    - exemplars and intensity augmentation are seeded by the trainer itself, the noise's generator here, too.

    On a GPU, nnU-Net's workers augment and cuDNN chooses its algorithms by speed, so repeats differ there.

    There is no final validation: the benchmark scores test images.
    """

    def initialize(self):
        if self.device.type == "cpu":
            torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        super().initialize()

    def prepare_translation(self):
        super().prepare_translation()
        seed_all(self.settings.seed, 0)  # building generators drew numbers, in some methods more than in others

    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        self.noise_generator.manual_seed(seed_all(self.settings.seed, 1 + self.current_epoch))

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


class nnUNetTrainerOneCycle(nnUNetTrainer):
    """AdamW with one cycle, bfloat16 on processors that have it: for trainings of minutes.

    SGD finds a cochlea in that time only by chance.
    """

    def initialize(self):
        super().initialize()
        if self.device.type == "cpu":
            self.network.forward = quick_forward(self.network)

    def configure_optimizers(self):
        return one_cycle(self.network, self.num_epochs + 1)  # the last step of the cycle has no learning rate


class nnUNetTrainerShort(nnUNetTrainerRepeatable, nnUNetTrainerOneCycle):
    """Images translated, or as they are."""


class nnUNetTrainerShortDA5(nnUNetTrainerShort, nnUNetTrainerDA5):
    """`nnUNetTrainerRepeatableDA5`, short."""


class nnUNetTrainerShortGIN(nnUNetTrainerRepeatableGIN, nnUNetTrainerOneCycle):
    """`nnUNetTrainerRepeatableGIN`, short."""


def seed_all(*numbers: int) -> int:
    """Seed the global generators with a number made of `numbers`, and return it."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return seed
