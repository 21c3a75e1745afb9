"""From signs of models on cases to a ranking, and how sure it is."""

from dataclasses import dataclass, fields

import numpy as np

RESAMPLES = 2000  # of the cases
INTERVAL = (2.5, 97.5)  # percentiles


@dataclass(frozen=True)
class Signs:
    """What can be known of M models on C cases without labels, each (M, C) from 0 to 1; NaN: not known.

    Attributes:
        agreement: Dice with the other models.
        stability: Dice with itself when the image's style is jittered.
        plausibility: whether the rules for pseudo-labels accept the label map.
        coverage: whether the image lies among the exemplars that the model was trained on.
    """

    agreement: np.ndarray
    stability: np.ndarray
    plausibility: np.ndarray
    coverage: np.ndarray

    def counted(self) -> dict[str, np.ndarray]:
        """Those that are known of every model; others would compare models by different things."""
        signs = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: values for name, values in signs.items() if np.isfinite(values).any(axis=1).all()}

    def scores(self) -> np.ndarray:
        """Mean over the counted signs, (M, C)."""
        return mean_of_known(np.stack(list(self.counted().values())))


@dataclass(frozen=True)
class Standing:
    """How a model stands among others.

    Attributes:
        model: its number.
        score: mean over cases.
        low, high: 95 % interval of the mean, by bootstrap over cases.
        first: share of the resamples in which it is the best; ties go to the one that is the best of all cases.
    """

    model: int
    score: float
    low: float
    high: float
    first: float


def ranked(scores: np.ndarray, seed: int = 0) -> list[Standing]:
    """The models, best first.

    Args:
        scores: (M, C), higher is better; cases that are NaN for a model do not count for it.
        seed: of the bootstrap, in which all models get the same cases.
    """
    means = mean_of_known(np.moveaxis(scores, 1, 0))
    order = np.argsort(-means, kind="stable")
    draws = np.random.default_rng(seed).integers(scores.shape[1], size=(RESAMPLES, scores.shape[1]))
    resampled = mean_of_known(np.moveaxis(scores[order][:, draws], 2, 0))  # (M, RESAMPLES)
    best = np.argmax(np.nan_to_num(resampled, nan=-1.0), axis=0)
    bounds = np.nanpercentile(resampled, INTERVAL, axis=1)
    return [
        Standing(int(model), *(float(x) for x in (means[model], *bounds[:, place], np.mean(best == place))))
        for place, model in enumerate(order)
    ]


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis without NaN; NaN where there is nothing else."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
