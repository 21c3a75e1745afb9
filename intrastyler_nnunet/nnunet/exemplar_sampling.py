"""Which exemplar each sample of a batch is translated to."""
import numpy as np

KEEP_SOURCE = -1


def draw_exemplars(rng: np.random.Generator, samples: int, exemplars: int, p_translate: float) -> np.ndarray:
    """An exemplar's index for every sample, uniform over the bank and independent between samples.

    Args:
        rng: the only source of randomness.
        samples: batch size B.
        exemplars: number of exemplars N in the bank.
        p_translate: probability that a sample is translated at all.

    Returns:
        (B,) integers in [0, N), or KEEP_SOURCE where the sample stays as it is.
    """
    drawn = rng.integers(exemplars, size=samples)
    return np.where(rng.random(samples) < p_translate, drawn, KEEP_SOURCE)
