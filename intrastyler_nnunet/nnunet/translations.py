"""The generators of a training, one or several (an ensemble, or MultiNets), as one set of styles."""

from collections.abc import Sequence

import numpy as np
import torch

from intrastyler_nnunet.nnunet.exemplar_translation import OnlineTranslation
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.sampling import KEEP_SOURCE, StyleDraw


class Translations:
    """Exemplars of all generators, numbered through in the generators' order; each is translated to by its own."""

    def __init__(self, members: Sequence[OnlineTranslation]):
        self.members = members
        # Which generator each exemplar belongs to; needed several times in every step.
        self.generators = np.repeat(np.arange(len(members)), [len(member) for member in members])

    def __len__(self) -> int:
        return len(self.generators)

    @property
    def banks(self) -> list[StyleBank]:
        """The style bank of each generator."""
        return [member.bank for member in self.members]

    @property
    def needs_labels(self) -> bool:
        """Whether any generator was trained with a label hint."""
        return any(member.needs_labels for member in self.members)

    def translate_batch(
        self,
        images: torch.Tensor,
        outside: torch.Tensor,
        labels: torch.Tensor | None,
        cases: Sequence[str],
        draw: StyleDraw,
    ) -> torch.Tensor:
        """As `OnlineTranslation.translate_batch`, each sample by the generator of its exemplar."""
        for number, member in enumerate(self.members):
            images = member.translate_batch(images, outside, labels, cases, self._of(number, draw))
        return images

    def translate_case(self, image: np.ndarray, labels: np.ndarray, case: str, draw: StyleDraw) -> np.ndarray:
        """As `OnlineTranslation.translate_case`, to a single style; KEEP_SOURCE returns the image."""
        exemplar = int(draw.exemplars[0])
        if exemplar == KEEP_SOURCE:
            return np.array(image, dtype=np.float32)
        number = self.generators[exemplar]
        return self.members[number].translate_case(image, labels, case, self._of(number, draw))[0]

    def _of(self, number: int, draw: StyleDraw) -> StyleDraw:
        """The draw in one generator's own numbers; KEEP_SOURCE where the sample is another's."""
        first = int(np.flatnonzero(self.generators == number)[0])
        own = (draw.exemplars != KEEP_SOURCE) & (self.generators[draw.exemplars] == number)
        return StyleDraw(np.where(own, draw.exemplars - first, KEEP_SOURCE), draw.partners - first, draw.t)
