"""nnU-Net's training for minutes instead of days: AdamW in one cycle, half precision."""

import math

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from intrastyler_nnunet.translation.precision import translation_precision

HIGHEST_RATE = 3e-3
WARM_UP = 0.3  # share of the training in which the learning rate rises
FIRST_SHARE, LAST_SHARE = 1 / 25, 1e-4 / 25  # of the highest rate, at the beginning and at the end


class nnUNetTrainerShort(nnUNetTrainer):
    """AdamW in one cycle (Smith and Topin 2019), bfloat16 on processors with units for it, no best checkpoint.

    For trainings of minutes, in which SGD finds small structures only by chance.
    """

    def initialize(self):
        """Let no epoch be better than the last, which a cycle is made for."""
        super().initialize()
        self._best_ema = math.inf

    def configure_optimizers(self):
        """AdamW, and a schedule that `train_step` moves with every step, nnU-Net with every epoch."""
        optimizer = torch.optim.AdamW(self.network.parameters(), HIGHEST_RATE, weight_decay=self.weight_decay)
        return optimizer, OneCycle(optimizer, self.num_epochs)

    def on_train_epoch_start(self):
        self.steps_of_epoch = 0
        super().on_train_epoch_start()

    def train_step(self, batch: dict) -> dict:
        self.lr_scheduler.step(self.current_epoch + self.steps_of_epoch / self.num_iterations_per_epoch)
        self.steps_of_epoch += 1
        with translation_precision(self.device):
            return super().train_step(batch)

    def validation_step(self, batch: dict) -> dict:
        with translation_precision(self.device):
            return super().validation_step(batch)


class OneCycle:
    """The learning rates of torch's OneCycleLR, for nnU-Net: they follow from the epoch, of which nothing is saved."""

    def __init__(self, optimizer: torch.optim.Optimizer, epochs: int):
        self.optimizer, self.epochs = optimizer, epochs

    def step(self, epoch: float) -> None:
        """Set the rate of a moment, in epochs from the beginning."""
        for group in self.optimizer.param_groups:
            group["lr"] = HIGHEST_RATE * one_cycle(epoch / self.epochs)


def one_cycle(done: float) -> float:
    """Share of the highest learning rate after a share of the training, both 0 to 1."""
    if done < WARM_UP:
        begin, end, way = FIRST_SHARE, 1.0, done / WARM_UP
    else:
        begin, end, way = 1.0, LAST_SHARE, (done - WARM_UP) / (1 - WARM_UP)
    return end + (begin - end) * (1 + math.cos(math.pi * way)) / 2
