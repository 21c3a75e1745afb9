"""SLERP against the paper's formula, and at its singular places."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from intrastyler_nnunet.styles.slerp import slerp


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_is_equation_3(seed, t):
    rng = np.random.default_rng(seed)
    v0, v1 = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 256)))
    theta = math.acos(v0 @ v1)
    expected = math.sin((1 - t) * theta) / math.sin(theta) * v0 + math.sin(t * theta) / math.sin(theta) * v1
    result = slerp(torch.from_numpy(v0)[None], torch.from_numpy(v1)[None], t)
    np.testing.assert_allclose(result[0].numpy(), expected, atol=1e-9)


def test_each_sample_has_its_own_t():
    a, b = (F.normalize(torch.randn(2, 8), dim=1) for _ in range(2))
    together = slerp(a, b, torch.tensor([0.25, 0.75]))
    torch.testing.assert_close(together[0], slerp(a, b, 0.25)[0])
    torch.testing.assert_close(together[1], slerp(a, b, 0.75)[1])


def test_parallel_and_antipodal_vectors_stay_on_the_sphere():
    v = F.normalize(torch.randn(1, 256), dim=1)
    torch.testing.assert_close(slerp(v, v, 0.3), v)
    nearly = F.normalize(v + 1e-4 * torch.randn_like(v), dim=1)
    torch.testing.assert_close(slerp(v, nearly, 0.5), F.normalize(v + nearly, dim=1), atol=1e-7, rtol=0)
    half = slerp(v, -v, 0.5)
    torch.testing.assert_close(half.norm(), torch.tensor(1.0))
    torch.testing.assert_close((half * v).sum(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(slerp(v, -v, 1.0), -v, atol=1e-6, rtol=0)
