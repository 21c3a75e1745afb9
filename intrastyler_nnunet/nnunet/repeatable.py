"""nnU-Net's training with every random number seeded."""

import random

import numpy as np
import torch

from intrastyler_nnunet.nnunet.trainer import TrainingOnTranslations


class RepeatableTraining(TrainingOnTranslations):
    """Gives the same weights for the same settings, also when it is interrupted.

    On the same machine, that is: another one rounds in its own way.

    What nnU-Net leaves to chance, and what is done about it:
    - the weights at the start: drawn by torch's global generator, which is seeded before the network is built;
    - patches and spatial augmentation: drawn by the global generators of NumPy and torch in worker processes that
      seed themselves. With `nnUNet_n_proc_DA=0` the training process draws them, and the generators are seeded anew
      for every epoch;
    - exemplars and intensity augmentation are seeded by the trainer itself.

    On a GPU, nnU-Net's workers augment and cuDNN chooses its algorithms by speed, so repeats differ there.
    """

    def prepare_translation(self):
        super().prepare_translation()
        seed_all(self.settings.seed, 0)  # building generators drew numbers, in some methods more than in others

    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        seed_all(self.settings.seed, 1 + self.current_epoch, self.local_rank)


def seed_all(*numbers: int) -> None:
    """Seed the global generators with a number made of `numbers`."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
