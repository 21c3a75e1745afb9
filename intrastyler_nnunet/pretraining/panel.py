"""The fixed panel: the same sources in the styles of the same exemplars, to see hallucination and style drift."""

from pathlib import Path

import numpy as np
import torch

from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.pretraining.run import Run
from intrastyler_nnunet.pretraining.validation import acquired_translation
from intrastyler_nnunet.translation.label_hint import apply_label_hint

SOURCES, EXEMPLARS = 3, 6


@torch.no_grad()
def draw_panel(generator: Generator, run: Run, path: Path, device: torch.device) -> None:
    """Translate central patches of evenly spaced sources to evenly spaced exemplars, and draw them."""
    source, target, config = run.source, run.target, run.config
    sources, inputs = [], []
    for name in _evenly(source.names, SOURCES):
        image, labels = source.central_patch(name, config.patch_size)
        sources.append(image)
        inputs.append(apply_label_hint(image, source.window(name), labels, config.label_hint))
    names = _evenly(target.names, EXEMPLARS)
    exemplars = [target.central_patch(name, config.patch_size)[0] for name in names]
    if target.codes:
        styles = [torch.tensor([target.codes[name]], device=device) for name in names]
    else:
        styles = [generator.encode_style(exemplar.to(device)) for exemplar in exemplars]
    translations = [
        [
            acquired_translation(generator, image.to(device), style, exemplar.to(device)).cpu()
            for style, exemplar in zip(styles, exemplars, strict=True)
        ]
        for image in inputs
    ]
    save_panel(sources, exemplars, translations, path)


def _evenly(names: list[str], count: int) -> list[str]:
    return [names[int(i)] for i in np.linspace(0, len(names) - 1, min(count, len(names)))]


def save_panel(
    sources: list[torch.Tensor], exemplars: list[torch.Tensor], translations: list[list[torch.Tensor]], path: Path
) -> None:
    """Draw a table of middle slices: exemplars on top, sources on the left, translations inside.

    Args:
        sources, exemplars: images (1, 1, X, Y, Z) in [-1, 1].
        translations: translations[s][e] is source s in the style of exemplar e.
        path: PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, columns = len(sources) + 1, len(exemplars) + 1
    figure = Figure(figsize=(2.4 * columns, 1.7 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    table = [[None, *exemplars]] + [[source, *row] for source, row in zip(sources, translations, strict=True)]
    for row, images in zip(axes, table, strict=True):
        for axis, image in zip(row, images, strict=True):
            axis.set_axis_off()
            if image is not None:
                axis.imshow(_middle_slice(image), cmap="gray", vmin=-1, vmax=1)
    axes[0][1].set_title("exemplars", loc="left", fontsize=8)
    axes[1][0].set_title("sources", loc="left", fontsize=8)
    with written_atomically(path) as temporary:
        figure.savefig(temporary, dpi=80, format="png")


def _middle_slice(image: torch.Tensor):
    """The middle through-plane slice, anterior up as radiologists view it."""
    return image[0, 0, :, :, image.shape[-1] // 2].float().cpu().numpy().T
