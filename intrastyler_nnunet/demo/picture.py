"""The demo's pictures: source, exemplar, translation, and what segmenters make of a test image of that sub-dataset."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK

from intrastyler_nnunet.demo.places import DemoPlaces
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.report.pictures import fullest_level
from intrastyler_nnunet.simulation.raw_dataset import IMAGE_ENDING, LABEL_ENDING, read_sites

COLOURS = ("tab:orange", "tab:cyan", "tab:red")  # extra-meatal, intra-meatal, cochlea
CAPTION = "extra-meatal (orange), intra-meatal (cyan), cochlea (red); dotted: the truth, solid: what was found"


@dataclass(frozen=True)
class PictureRow:
    """The image files of one row; a sub-dataset that training has not seen has no exemplar, and no translation."""

    site: str
    test: Path
    test_labels: Path
    source: Path
    source_labels: Path
    exemplar: Path | None
    translation: Path


def picture_rows(places: DemoPlaces) -> list[PictureRow]:
    """A row for each sub-dataset with test images, with another source in each."""
    cases = read_sites(places.raw / "sites.json").cases
    first = {(case.split, case.site): case.case for case in reversed(cases)}
    sources = [case.case for case in cases if case.split == "source"]
    rows = []
    for number, site in enumerate(sorted({case.site for case in cases if case.split == "test"})):
        test, source, exemplar = first["test", site], sources[number % len(sources)], first.get(("target", site))
        rows.append(
            PictureRow(
                site,
                places.tests / f"{test}{IMAGE_ENDING}",
                places.raw / "labelsTs" / f"{test}{LABEL_ENDING}",
                places.raw / "imagesTr" / f"{source}{IMAGE_ENDING}",
                places.raw / "labelsTr" / f"{source}{LABEL_ENDING}",
                exemplar and places.raw / "imagesTarget" / f"{exemplar}{IMAGE_ENDING}",
                places.look / f"{source}_as_{exemplar}.nii.gz",
            )
        )
    return sorted(rows, key=lambda row: row.exemplar is None)


def draw_picture(rows: list[PictureRow], predictions: dict[str, Path], path: Path) -> None:
    """Draw rows as a PNG.

    Args:
        rows: their images, all written.
        predictions: folder with label maps of the rows' test images, by what made them; a column for each.
        path: of the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    titles = ("source (ceT1)", "exemplar (T2)", "source in its style", *(f"T2, by {name}" for name in predictions))
    figure = Figure(figsize=(3.4 * len(titles), 2.35 * len(rows) + 0.5), layout="constrained", facecolor="black")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.05, wspace=0.0, hspace=0.0)
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, color="white", fontsize=11)
    for row, places in zip(rows, axes, strict=True):
        first, unseen = (places[3], " (not seen in training)") if row.exemplar is None else (places[0], "")
        if row.exemplar is not None:
            level = fullest_level(_read(row.source_labels))
            exemplar = _read(row.exemplar)
            _show(places[0], _read(row.source), level)
            _show(places[1], exemplar, level)
            _show(places[2], _read(row.translation), level, exemplar)
        for axis, folder in zip(places[3:], predictions.values(), strict=True):
            _draw_prediction(axis, row, folder / row.test_labels.name)
        first.text(0.02, 0.97, row.site + unseen, color="yellow", va="top", transform=first.transAxes)
    if predictions:
        figure.supxlabel(CAPTION, color="white", fontsize=10)
    with written_atomically(path) as temporary:
        figure.savefig(temporary, dpi=80, format="png")


def _show(axis, volume: np.ndarray, level: int, scale: np.ndarray | None = None) -> None:
    """A slice in shades of grey, as wide as those of `scale`, or its own."""
    scale = volume if scale is None else scale
    axis.imshow(volume[min(level, len(volume) - 1)], cmap="gray", vmin=scale.min(), vmax=np.percentile(scale, 99.9))


def _draw_prediction(axis, row: PictureRow, prediction: Path) -> None:
    truth, found = _read(row.test_labels), _read(prediction)
    level = fullest_level(truth)
    _show(axis, _read(row.test), level)
    for labels, style in ((truth, "dotted"), (found, "solid")):
        for value, colour in enumerate(COLOURS, start=1):
            if (labels[level] == value).any():
                axis.contour(labels[level] == value, [0.5], colors=[colour], linestyles=style, linewidths=1.2)


def _read(path: Path) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
