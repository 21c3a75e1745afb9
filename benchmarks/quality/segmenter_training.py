"""Short trainings of small U-Nets on a CPU: one loop, for the judge of translations and for the ceiling.

AdamW with one cycle and, on processors that have units for it, bfloat16.
"""

from collections.abc import Sequence

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import trange

from benchmarks.quality.simulated_pairs import tensor
from intrastyler_nnunet.translation.precision import translation_precision

LEARNING_RATE = 3e-3  # at the top of the cycle
BATCH = 2

LabelledVolume = tuple[np.ndarray, np.ndarray]  # z-scored and its class map, both (x, y, z)


def small_unet(classes: int, width: int) -> nn.Module:
    """A U-Net of four levels with `width` channels at the first, for volumes (B, 1, z, y, x)."""
    features = tuple(width * 2**level for level in range(4))
    return PlainConvUNet(
        1, 4, features, nn.Conv3d, 3, ((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2)), 2, classes, 2,
        conv_bias=True, norm_op=nn.InstanceNorm3d, norm_op_kwargs={"affine": True}, nonlin=nn.LeakyReLU,
    )  # fmt: skip


def fit(
    network: nn.Module, images: Sequence[LabelledVolume], steps: int, seed: int, class_weights: Sequence[float],
    columns: int | None = None,
) -> None:  # fmt: skip
    """Train on random images, mirrored left-right by a coin toss, their contrast and brightness a little changed.

    Args:
        network: of as many classes as there are weights; seed torch before it is made.
        images: at least one.
        steps: batches of 2.
        seed: of the batches.
        class_weights: of the cross entropy: equal ones let some trainings forget the cochlea.
        columns: of the volumes' x that a batch gets, at a random place; None: all.
    """
    rng = np.random.default_rng(seed)
    optimizer = AdamW(network.parameters(), lr=LEARNING_RATE)
    # Rises in the first 30 % of the steps and falls to nothing in the others.
    schedule = OneCycleLR(optimizer, max_lr=LEARNING_RATE, total_steps=steps)
    dice_settings = {"batch_dice": True, "smooth": 1e-5, "do_bg": False, "ddp": False}
    weights = {"weight": torch.tensor(class_weights)}
    loss_of = DC_and_CE_loss(dice_settings, weights, dice_class=MemoryEfficientSoftDiceLoss)
    for _ in (progress := trange(steps, desc="segmenter", leave=False)):
        volumes, labels = _batch(rng, images, columns)
        with translation_precision(volumes.device):
            outputs = network(volumes)
        loss = loss_of(outputs.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        progress.set_postfix(loss=round(loss.item(), 3))


@torch.no_grad()
def segmented(network: nn.Module, volume: np.ndarray) -> np.ndarray:
    """Class map (x, y, z) of a T2-like volume (x, y, z), z-scored."""
    return network(tensor(volume.astype(np.float32)))[0].argmax(dim=0).numpy().transpose(2, 1, 0)


def _batch(
    rng: np.random.Generator, images: Sequence[LabelledVolume], columns: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    volumes, labels = [], []
    for index in rng.integers(len(images), size=BATCH):
        volume, classes = images[index]
        kept = columns or len(volume)
        start = int(rng.integers(len(volume) - kept + 1))
        side = rng.choice((-1, 1))
        volume, classes = (array[start : start + kept][::side] for array in (volume, classes))
        volumes.append(tensor((volume * rng.uniform(0.85, 1.15) + rng.normal(0, 0.1)).astype(np.float32)))
        labels.append(tensor(classes))
    return torch.cat(volumes), torch.cat(labels)
