"""The fixed panel: the same sources in the styles of the same exemplars, to see hallucination and style drift."""

from pathlib import Path

import torch

from intrastyler_nnunet.files import written_atomically


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
