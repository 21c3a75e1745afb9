"""QS-Attn's selection against a direct computation."""

import numpy as np
import torch
from fake_cuda import fake_cuda
from scipy.special import softmax
from scipy.stats import entropy

from intrastyler_nnunet.objective import patch_nce
from intrastyler_nnunet.objective.patch_nce import attention_rows, gather_places, sample_places


def test_the_most_focused_places_are_chosen(monkeypatch):
    monkeypatch.setattr(patch_nce, "ATTENTION_BUDGET", 100)  # several blocks
    feature = torch.randn(2, 3, 4, 3, 2, generator=torch.Generator().manual_seed(0))
    rows = attention_rows(feature, 5)
    for sample in range(2):
        places = feature[sample].flatten(1).T.double().numpy()
        attention = softmax(places @ places.T, axis=1)
        chosen = np.argsort(entropy(attention, axis=1))[:5]
        np.testing.assert_allclose(rows[sample].numpy(), attention[chosen], atol=1e-5)


def test_attention_mixes_features_and_indices_pick_them():
    features = [torch.randn(2, 3, 4, 3, 2)] * 2
    selection = [sample_places(features, 5)[0], attention_rows(features[1], 5)]
    picked, mixed = gather_places(features, selection)
    torch.testing.assert_close(picked[1, 2], features[0][1].flatten(1)[:, selection[0][1, 2]])
    torch.testing.assert_close(mixed[1], torch.einsum("pv,cv->pc", selection[1][1], features[1][1].flatten(1)))


def test_runs_on_a_cuda_device():
    with fake_cuda():
        features = [torch.rand(1, 4, 4, 4, 4), torch.rand(1, 8, 2, 2, 2)]
        gathered = gather_places(features, [sample_places(features, 6)[0], attention_rows(features[1], 6)])
        assert {g.device.type for g in gathered} == {"cuda"}
        assert gathered[1].shape == (1, 6, 8)
