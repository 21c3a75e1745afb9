"""The demo's picture: source, exemplar, translation, and what both segmenters make of a test image of that site."""

from pathlib import Path

import numpy as np
import SimpleITK
import torch

from intrastyler_nnunet.demo.stages import CONFIGURATION, DATASET, NAME, PLANS, TRAINERS
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.report.pictures import fullest_level
from intrastyler_nnunet.simulation.raw_dataset import read_sites
from intrastyler_nnunet.styles.bank import BANK_FILE, StyleBank
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.translation.windows import read_windows

COLOURS = ("tab:orange", "tab:cyan", "tab:red")  # extra-meatal, intra-meatal, cochlea


def draw_demo_picture(folder: Path, generator_path: Path, path: Path) -> None:
    """One row per target site; the unseen site has no exemplar, so its row has only the test image.

    Columns: source, exemplar, translation, then for each method a T2 test image with the true outlines (dotted) and
    the predicted ones (solid). Needs `nnUNet_*` to be set to the demo's folders.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    cases = read_sites(folder / "nnUNet_raw" / NAME / "sites.json").cases
    sites = sorted({case.site for case in cases if case.split == "test"})
    figure = Figure(figsize=(3.2 * (3 + len(TRAINERS)), 2.3 * len(sites)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(sites), 3 + len(TRAINERS), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, title in zip(axes[0], ("source ceT1", "exemplar T2", "translated", *TRAINERS), strict=True):
        axis.set_title(title)
    translations = _Translations(generator_path)
    for row, site in zip(axes, sites, strict=True):
        exemplars = [case.case for case in cases if case.split == "target" and case.site == site]
        if exemplars:
            for axis, (image, window) in zip(row, translations.of(exemplars[0]), strict=False):
                axis.imshow(image, cmap="gray", vmin=window[0], vmax=window[1])
        test = next(case.case for case in cases if case.split == "test" and case.site == site)
        row[3].text(0.02, 0.96, f"{site}{'' if exemplars else ' (unseen)'}", color="yellow", va="top",
                    transform=row[3].transAxes)  # fmt: skip
        for axis, method in zip(row[3:], TRAINERS, strict=True):
            _draw_prediction(axis, folder, method, test)
    with written_atomically(path) as temporary:
        figure.savefig(temporary, dpi=64, format="png")


class _Translations:
    """Slices through the tumour of one source case, an exemplar, and the case translated to it."""

    def __init__(self, generator_path: Path):
        plans = folders.read_plans(DATASET, PLANS)
        self.source_folder = folders.configuration_folder(DATASET, plans, CONFIGURATION)
        self.target_folder = folders.require_target(DATASET, plans, CONFIGURATION)
        self.bank = StyleBank.load(folders.synthesizer_folder(DATASET, PLANS, CONFIGURATION) / BANK_FILE)
        self.windows = read_windows(self.source_folder)
        self.translator = Translator(Generator.load(generator_path))

    def of(self, exemplar: str) -> list[tuple[np.ndarray, tuple[float, float]]]:
        """(slice, intensity window) of source, exemplar and translation."""
        from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

        case = sorted(self.windows)[0]
        image, labels = (
            torch.from_numpy(np.array(array))[None]
            for array in nnUNetDatasetBlosc2(str(self.source_folder), [case]).load_case(case)[:2]
        )
        target = np.array(nnUNetDatasetBlosc2(str(self.target_folder), [exemplar]).load_case(exemplar)[0])[0]
        index = self.bank.names.index(exemplar)
        bounds = self.bank.windows[index, None]
        rows = self.bank.acquisitions_for(self.translator.generator.metadata, None)
        translated = self.translator(
            image, torch.tensor([self.windows[case]]), self.bank.vectors[index, None], bounds, labels=labels,
            acquisitions=None if rows is None else rows[index, None], noise=torch.Generator().manual_seed(0),
        )  # fmt: skip
        level, window = fullest_level(labels[0, 0].numpy()), tuple(bounds[0].tolist())
        return [
            (image[0, 0, level].numpy(), self.windows[case]),
            (target[min(level, len(target) - 1)], window),
            (translated[0, 0, level].numpy(), window),
        ]


def _draw_prediction(axis, folder: Path, method: str, case: str) -> None:
    raw = folder / "nnUNet_raw" / NAME
    image = _read(raw / "imagesTs" / f"{case}_0000.nii.gz")
    truth = _read(raw / "labelsTs" / f"{case}.nii.gz")
    prediction = _read(folder / "predictions" / method / f"{case}.nii.gz")
    level = fullest_level(truth)
    axis.imshow(image[level], cmap="gray", vmin=image.min(), vmax=np.percentile(image, 99.9))
    for labels, style in ((truth, "dotted"), (prediction, "solid")):
        for value, colour in enumerate(COLOURS, start=1):
            if (labels[level] == value).any():
                axis.contour(labels[level] == value, [0.5], colors=[colour], linestyles=style, linewidths=1)


def _read(path: Path) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
