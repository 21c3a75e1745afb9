"""Pictures of training batches: the source as the workers made it, the exemplar, and what the network gets."""

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.nnunet.exemplar_translation import ExemplarTranslation
from intrastyler_nnunet.styles.sampling import KEEP_SOURCE, StyleDraw

FOLDER = "translated_batches"
FIRST_EPOCHS, EVERY = (0, 1, 10), 100
MOST_SAMPLES = 4

matplotlib.use("agg")


def is_pictured(epoch: int) -> bool:
    """Whether a picture is made of the first batch of the epoch."""
    return epoch in FIRST_EPOCHS or (epoch > 0 and epoch % EVERY == 0)


def draw_batch(
    path: Path,
    source: torch.Tensor,
    formed: torch.Tensor,
    cases: Sequence[str],
    draw: StyleDraw,
    translation: ExemplarTranslation,
    target_folder: Path,
) -> None:
    """Write a picture with a row for each of the first samples: middle slices along the first axis.

    Args:
        path: of the PNG file.
        source, formed: (B, C, *spatial) in nnU-Net space, before translation and as the network gets them.
        cases: the B samples' case names.
        draw: the B samples' styles.
        translation: whose exemplars they are, and whose channel is shown.
        target_folder: of preprocessed target cases; an exemplar that is not there is left out.
    """
    rows = min(len(source), MOST_SAMPLES)
    figure, axes = plt.subplots(rows, 3, figsize=(9, 3 * rows), squeeze=False)
    names = [name for bank in translation.banks for name in bank.names]
    before, after = (images[:rows, translation.channel][:, 0].float().cpu().numpy() for images in (source, formed))
    for row in range(rows):
        exemplar, partner = int(draw.exemplars[row]), int(draw.partners[row])
        title, volume = "source's own style", None
        if exemplar != KEEP_SOURCE:
            volume, title = _exemplar(target_folder, names[exemplar]), names[exemplar]
            if draw.t[row]:
                title += f"\n{draw.t[row]:.0%} on the way to {names[partner]}"
        columns = ((before[row], cases[row]), (volume, title), (after[row], "the network's input"))
        for place, (image, text) in zip(axes[row], columns, strict=True):
            if image is not None:
                place.imshow(image[len(image) // 2], cmap="gray")
            place.set_title(text, fontsize="small")
            place.set_axis_off()
    with written_atomically(path) as temporary:
        figure.savefig(temporary, bbox_inches="tight", dpi=80)
    plt.close(figure)


def log_picture(loggers: Sequence, path: Path, epoch: int) -> None:
    """Show the picture in Weights & Biases, if nnU-Net logs there."""
    for logger in loggers:
        if "wandb" in sys.modules and hasattr(logger, "run"):
            logger.log("intrastyler/translated batch", sys.modules["wandb"].Image(str(path)), epoch)


def _exemplar(folder: Path, name: str) -> np.ndarray | None:
    if not (folder / f"{name}.b2nd").is_file():
        return None
    return np.asarray(nnUNetDatasetBlosc2(str(folder), [name]).load_case(name)[0][0])
