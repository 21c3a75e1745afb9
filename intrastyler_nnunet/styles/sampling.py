"""Which style each sample of a batch is translated to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Le

from intrastyler_nnunet.devices import moved_together
from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.styles.bank import StyleBank
from intrastyler_nnunet.styles.slerp import slerp
from intrastyler_nnunet.typed_json import Check

KEEP_SOURCE = -1
SLERP_RANGE = (0.2, 0.8)  # of t, so that an interpolated style is neither exemplar's


@dataclass(frozen=True)
class StyleDraw:
    """The styles of the B samples of a batch.

    Attributes:
        exemplars: (B,) index into the bank, KEEP_SOURCE where the sample stays as it is.
        partners: (B,) index of the exemplar to interpolate with.
        t: (B,) from 0, the exemplar's own style, to 1, its partner's.
    """

    exemplars: np.ndarray
    partners: np.ndarray
    t: np.ndarray

    @classmethod
    def of(cls, exemplars: np.ndarray) -> "StyleDraw":
        """The styles of single exemplars (B,)."""
        return cls(exemplars, exemplars, np.zeros(len(exemplars)))

    @classmethod
    def together(cls, draws: Sequence["StyleDraw"]) -> "StyleDraw":
        """The styles of several draws, one after the other."""
        fields = ("exemplars", "partners", "t")
        return cls(*(np.concatenate([getattr(draw, name) for draw in draws]) for name in fields))


def draw_styles(
    rng: np.random.Generator,
    samples: int,
    probabilities: np.ndarray,
    p_translate: float,
    p_slerp: float,
    generators: np.ndarray | None = None,
) -> StyleDraw:
    """A style for every sample, independent between samples.

    Args:
        rng: the only source of randomness.
        samples: batch size B.
        probabilities: (N,) of the bank's exemplars, see `exemplar_probabilities`.
        p_translate: probability that a sample is translated at all.
        p_slerp: probability that a translated sample's style lies between two exemplars.
        generators: (N,) the generator each exemplar belongs to; a style lies between two of the same. None: one.
    """
    exemplars, partners = rng.choice(len(probabilities), size=(2, samples), p=probabilities)
    if generators is not None:
        partners = np.array([_partner(rng, probabilities, generators == generators[e]) for e in exemplars])
    t = np.where(rng.random(samples) < p_slerp, rng.uniform(*SLERP_RANGE, size=samples), 0.0)
    return StyleDraw(np.where(rng.random(samples) < p_translate, exemplars, KEEP_SOURCE), partners, t)


def _some_weight(weights: dict[str, float]) -> dict[str, float]:
    if not sum(weights.values()):
        raise InputError("expected a weight above 0")
    return weights


Policy = Literal["uniform", "balanced"]
PolicyWeights = Annotated[dict[Policy, Annotated[float, Ge(0), Le(1e6)]], Check(_some_weight)]


def exemplar_probabilities(
    banks: Sequence[StyleBank],
    policy: str | dict,
    names: list[str] | None = None,
    new: list[str] | None = None,
    new_share: float = 0.5,
) -> np.ndarray:
    """How often each exemplar of the generators' banks, one after the other, is drawn, (N,), summing to 1.

    Args:
        banks: the exemplars of each generator.
        policy: "uniform" over exemplars (the paper), or "balanced": uniform over clusters of styles, then over their
            members, so that a rare scanner counts as much as a common one; or weights of the two, by name.
        names: draw only these exemplars, and those of `new`; None: all.
        new: exemplars that have a share of their own; None: there are none.
        new_share: of all draws, the share of `new`, among which the policy counts as among the others.

    Raises:
        InputError: a name is in no bank; nothing is left for the share of those that are not new.
    """
    known = [name for bank in banks for name in bank.names]
    present = set(known)
    for name in [*(names or ()), *(new or ())]:
        if name not in present:
            raise InputError(f"exemplars: {name!r} is no target case, expected names such as {known[0]}")
    if new:
        apart = set(new)
        old = [name for name in names or known if name not in apart]
        if not old and new_share < 1:
            raise InputError(f"exemplars: all are new, expected others too, or new_share 1 instead of {new_share:g}")
        parts = ((old, 1 - new_share), (new, new_share))
        return np.sum([share * exemplar_probabilities(banks, policy, part) for part, share in parts if share], axis=0)
    weights = {policy: 1.0} if isinstance(policy, str) else policy
    shares = np.array([share / sum(weights.values()) for share in weights.values()])
    return shares @ np.array([_probabilities(banks, name, names) for name in weights])


def _probabilities(banks: Sequence[StyleBank], policy: str, names: list[str] | None) -> np.ndarray:
    of_banks, wanted = [], set(names or ())
    for bank in banks:
        chosen = np.array([names is None or name in wanted for name in bank.names])
        of_bank = chosen.astype(float)
        if policy == "balanced" and chosen.any():
            labels = bank.labels_of(np.flatnonzero(chosen))
            of_bank[chosen] = 1 / np.bincount(labels)[labels]
        of_banks.append(of_bank)
    weights = np.concatenate(of_banks)
    return weights / weights.sum()


def _partner(rng: np.random.Generator, probabilities: np.ndarray, candidates: np.ndarray) -> int:
    own = probabilities * candidates
    return int(rng.choice(len(own), p=own / own.sum()))


def styles_of(draw: StyleDraw, vectors: torch.Tensor, *tables: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Style vectors (B, K) of a draw without KEEP_SOURCE, and its rows (B, ...) of other tables.

    Args:
        draw: B styles.
        vectors: the bank's, (N, K), on the device of the result.
        tables: its windows and acquisitions, (N, ...), between whose rows the way is a straight line.
    """
    drawn = (draw.exemplars, draw.partners, draw.t.astype(np.float32))
    exemplars, partners, t = moved_together([torch.from_numpy(values) for values in drawn], vectors.device)
    if not draw.t.any():
        return vectors[exemplars], *(table[exemplars] for table in tables)
    # These linearly: they are positions on an axis of intensities or lengths, not directions.
    between = (torch.lerp(table[exemplars], table[partners], t[:, None]) for table in tables)
    return slerp(vectors[exemplars], vectors[partners], t), *between
