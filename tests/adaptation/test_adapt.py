"""`intrastyler adapt` on the tiny dataset: what it makes, what it leaves alone, and what it refuses."""

import json

import pytest
import torch
from marked_processes import contents
from tiny_dataset import CONFIGURATION

from intrastyler_nnunet.cli import main


def command(dataset, *options) -> list[str]:
    given = ("-i", dataset.new_images, "-m", dataset.model, "--epochs", 2, *options)
    return ["adapt", "-d", "998", "-c", CONFIGURATION, "-device", "cpu", *map(str, given)]


def checkpoint(folder, fold=0):
    return torch.load(folder / f"fold_{fold}" / "checkpoint_final.pth", weights_only=False)


def test_a_stock_model_beside_the_old_one(trained, capsys):
    before = contents(trained.root)
    main(command(trained))
    after = contents(trained.root)
    made = checkpoint(trained.adapted)
    print(capsys.readouterr().out[-1500:])
    print(sorted(set(after) - set(before)))
    print([n for n in before if before[n] != after[n]])
    print({k: v for k, v in made["init_args"].items() if "intra" in k})
    raise AssertionError
