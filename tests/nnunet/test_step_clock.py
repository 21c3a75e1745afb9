"""The clock of the training steps, on a clock of its own."""

import numpy as np
import pytest
import torch

from intrastyler_nnunet.nnunet.step_clock import StepClock


class Hands:
    """A clock that a test sets."""

    time = 100.0

    def __call__(self) -> float:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += seconds


@pytest.mark.parametrize("device", ["cpu", "mps"])  # neither has events that the clock could ask
def test_shares_are_those_of_the_hands(device):
    hands = Hands()
    clock = StepClock(torch.device(device), hands)
    hands.pass_by(50)  # before the epoch
    clock.begin()
    for wait in (2, 4):
        hands.pass_by(wait)
        with clock.step():
            with clock.part("translation"):
                hands.pass_by(3)
            with clock.part("augmentation"):
                hands.pass_by(1)
            hands.pass_by(10)
    shares = clock.shares()
    assert list(shares) == ["waiting", "translation", "augmentation", "network"]
    assert np.allclose(list(shares.values()), np.array([6, 6, 2, 20]) / 34)
    clock.begin()
    assert clock.shares() == {}


def test_an_epochs_log_has_one_line_that_adds_up(make_trainer, capsys):
    trainer = make_trainer()
    trainer.initialize()
    trainer.dataloader_train, _ = trainer.get_dataloaders()
    trainer.on_train_epoch_start()
    outputs = [trainer.train_step(next(trainer.dataloader_train)) for _ in range(2)]
    trainer.on_train_epoch_end(outputs)
    lines = [line for line in capsys.readouterr().out.splitlines() if "Time spent" in line]
    assert len(lines) == 1
    shares = [int(word.rstrip("%,")) for word in lines[0].split() if word.endswith(("%", "%,"))]
    assert len(shares) == 4
    assert 98 <= sum(shares) <= 102
    assert shares[1] > 0
    assert shares[3] > 0
