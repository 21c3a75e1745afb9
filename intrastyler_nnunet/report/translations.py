"""Sources in the styles of the typical exemplars, and on the way from one of them to another."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from tqdm import tqdm

from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.offline.style_space import StyleSpace
from intrastyler_nnunet.pretraining.validation import edge_correlation
from intrastyler_nnunet.report.pictures import PICTURE, fullest_level, slice_picture
from intrastyler_nnunet.styles.bank import exemplar_style
from intrastyler_nnunet.styles.coverage import degrees_between
from intrastyler_nnunet.styles.slerp import slerp
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.translation.windows import named_case

SOURCES = 3
ENDS = 8  # typical exemplars, of the largest clusters, between which frames are rendered: 28 pairs
STEPS = 10  # from one exemplar's style to the other's
GENERATOR_SPACE = (-1.0, 1.0)  # an intensity window that changes nothing


@dataclass(frozen=True)
class MatrixCell:
    """One cell of the matrix.

    Attributes:
        picture: data URI.
        degrees: angle between the style of the translation and the exemplar's.
        edges: correlation of the edge strengths (Sobel) of source and translation; 1 where every edge kept its place.
    """

    picture: str
    degrees: float
    edges: float


@dataclass(frozen=True)
class SourceRow:
    """One row of the matrix."""

    name: str
    picture: str
    translations: list[MatrixCell]


class StyleMatrix:
    """Renders what the report shows of a generator."""

    def __init__(
        self, space: StyleSpace, source: PreprocessedCases, typical: torch.Tensor, rows: torch.Tensor | None = None
    ):
        """`typical`, `rows`: (S, K) style vectors of the typical exemplars, and (S, COLUMNS) their acquisitions."""
        self.space, self.source, self.typical, self.rows = space, source, typical, rows
        self.translator = Translator(space.generator)
        self.names = [source.names[int(i)] for i in np.linspace(0, len(source.names) - 1, SOURCES).round()]
        self.names = list(dict.fromkeys(self.names))

    def look(self) -> tuple[torch.Tensor, torch.Tensor, list[float]]:
        """The first source and itself in the first typical style, (1, 1, X, Y, Z) in [-1, 1], and where to look.

        That is the middle of what is labelled in the fullest slice, 0 to 1 along each axis.
        """
        image, labels, level = self._load(self.names[0])
        source = self.translator.space.enter(image, torch.tensor([self.source.windows[self.names[0]]]))
        rows = None if self.rows is None else self.rows[:1]
        translated = next(self.translated(self.names[0], image, labels, self.typical[:1], rows))
        plane = self.translator.space.turned(labels)[0, 0, :, :, level]
        labelled = (plane > 0).nonzero().float() if (plane > 0).any() else torch.tensor(plane.shape)[None] / 2
        middle = [*labelled.mean(dim=0).tolist(), level]
        return source, translated, [(at + 0.5) / count for at, count in zip(middle, source.shape[2:], strict=True)]

    def matrix(self) -> list[SourceRow]:
        """Every source in every typical style."""
        return [self._row(name) for name in tqdm(self.names, "translations")]

    def frames(self) -> dict[str, list[str]]:
        """Pictures of the first source at t = 1/STEPS, 2/STEPS, ... between every two ends, by "first-second"."""
        pairs = list(combinations(range(min(ENDS, len(self.typical))), 2))
        if not pairs:
            return {}
        steps = torch.arange(1, STEPS) / STEPS
        styles = torch.cat(
            [slerp(*(self.typical[end].expand(len(steps), -1) for end in pair), steps) for pair in pairs]
        )
        rows = None
        if self.rows is not None:
            rows = torch.cat([torch.lerp(*self.rows[list(pair), None], steps[:, None]) for pair in pairs])
        image, labels, level = self._load(self.names[0])
        volumes = self.translated(self.names[0], image, labels, styles, rows)
        pictures = [slice_picture(v, level, PICTURE) for v in tqdm(volumes, "between styles", len(styles))]
        return {f"{a}-{b}": pictures[i * len(steps) : (i + 1) * len(steps)] for i, (a, b) in enumerate(pairs)}

    def translated(
        self,
        name: str,
        image: torch.Tensor,
        labels: torch.Tensor,
        styles: torch.Tensor,
        rows: torch.Tensor | None = None,
    ) -> Iterator[torch.Tensor]:
        """(1, 1, X, Y, Z) in [-1, 1] for each style; the content is encoded once, and the noise is the same for all."""
        windows = torch.tensor([self.source.windows[name]]), torch.tensor([GENERATOR_SPACE] * len(styles))
        volumes = self.translator.volume(
            image, windows[0], styles, windows[1], labels=labels, acquisitions=rows, seeds=[0] * len(styles)
        )
        for volume in volumes:
            yield self.translator.space.turned(volume)

    @torch.no_grad()
    def style_of(self, volume: torch.Tensor) -> torch.Tensor:
        """Style vector (K,) of a translation (1, 1, X, Y, Z) in [-1, 1]; both on the CPU."""
        array = self.translator.space.turned_back(volume)[0].to(self.space.device)
        return exemplar_style(self.space.generator, array, GENERATOR_SPACE, self.space.patch_size)[0].cpu()

    def _row(self, name: str) -> SourceRow:
        image, labels, level = self._load(name)
        source = self.translator.space.enter(image, torch.tensor([self.source.windows[name]]))
        cells = []
        volumes = self.translated(name, image, labels, self.typical, self.rows)
        for volume, style in zip(volumes, self.typical, strict=True):
            degrees = float(degrees_between(self.style_of(volume)[None], style[None]))
            edges = float(edge_correlation(source, volume))
            cells.append(MatrixCell(slice_picture(volume, level, PICTURE), degrees, edges))
        return SourceRow(name, slice_picture(source, level, PICTURE), cells)

    def _load(self, name: str) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Image and labels (1, 1, *spatial) as preprocessed, and the slice to show."""
        with named_case(self.source.folder / name):
            image, labels = (np.array(array[:1]) for array in self.source.dataset.load_case(name)[:2])
        image, labels = torch.from_numpy(image)[None].float(), torch.from_numpy(labels)[None]
        level = fullest_level(self.translator.space.turned(labels)[0, 0].numpy().T)
        return image, labels, level
