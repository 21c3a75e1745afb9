"""Angles between new images and exemplars."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.distance import cdist

from intrastyler_nnunet.styles.coverage import coverage


def test_angles_are_scipys():
    generator = torch.Generator().manual_seed(0)
    new, exemplars = (F.normalize(torch.randn(n, 8, generator=generator), dim=1) for n in (5, 9))
    result = coverage(new, exemplars)
    expected = np.degrees(np.arccos(1 - cdist(new, exemplars, "cosine")))
    np.testing.assert_allclose(result.angles, expected.min(axis=1), atol=1e-4)
    np.testing.assert_array_equal(result.nearest, expected.argmin(axis=1))
    own = np.degrees(np.arccos(np.clip(1 - cdist(exemplars, exemplars, "cosine"), -1, 1)))
    np.fill_diagonal(own, np.inf)
    np.testing.assert_allclose(result.own_angles, own.min(axis=1), atol=1e-4)
    np.testing.assert_allclose(result.quantiles, (own.min(axis=1) < expected.min(axis=1)[:, None]).mean(axis=1))


def test_an_exemplar_itself_is_inside_and_another_direction_outside():
    exemplars = F.normalize(torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.1, 0.0], [1.0, 0.2, 0.0]]), dim=1)
    new = torch.cat([exemplars[1:2], torch.tensor([[0.0, 0.0, 1.0]])])
    assert coverage(new, exemplars).outside.tolist() == [False, True]
    assert coverage(new, exemplars).angles[0] == 0
