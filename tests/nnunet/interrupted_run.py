"""A training of the tiny dataset that notes the styles it draws, and can kill itself in the middle of an epoch.

python interrupted_run.py DRAWS begin|continue EPOCH_TO_DIE_IN
"""

import os
import signal
import sys

import torch
from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint


def main(draws: str, how: str, last_epoch: str) -> None:
    going_on = how == "continue"
    trainer = get_trainer_from_args(
        "998", "tiny", 0, "nnUNetTrainerIntraStyler", continue_training=going_on, device=torch.device("cpu")
    )
    draw = trainer._draw

    def noted(keys):
        drawn = draw(keys)
        with open(draws, "a") as file:
            numbers = [*drawn.exemplars, *drawn.partners, *drawn.t]
            print(trainer.current_epoch, trainer.iteration, *numbers, file=file)
        if (trainer.current_epoch, trainer.iteration) == (int(last_epoch), 1):
            os.kill(os.getpid(), signal.SIGKILL)
        return drawn

    trainer._draw = noted
    maybe_load_checkpoint(trainer, going_on, False)
    trainer.run_training()


if __name__ == "__main__":
    main(*sys.argv[1:])
