"""Clusters and typical exemplars of styles whose groups are known."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score, silhouette_score

from intrastyler_nnunet.styles import clusters as clusters_module
from intrastyler_nnunet.styles.clusters import cluster_styles, typical_exemplars


def groups(sizes: tuple[int, ...], spread: float, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(len(sizes), 32)[labels] + spread * rng.normal(size=(len(labels), 32))
    return F.normalize(torch.from_numpy(vectors), dim=1), labels


@pytest.mark.parametrize("sizes", [(10, 12), (8, 9, 10), (5, 30, 6, 7, 8)])
def test_groups_are_found_with_their_number(sizes):
    vectors, labels = groups(sizes, 0.1)
    clusters = cluster_styles(vectors)
    assert clusters.count == len(sizes)
    assert adjusted_rand_score(labels, clusters.labels) == 1
    expected = silhouette_score(vectors.numpy(), labels)
    assert clusters.silhouettes[len(sizes)] == pytest.approx(expected) == max(clusters.silhouettes.values())


def test_few_or_equal_styles_do_not_fail():
    one = torch.ones(1, 4) / 2
    assert cluster_styles(one).labels.tolist() == [0]
    assert cluster_styles(one.repeat(5, 1)).count == 1
    two = F.normalize(torch.eye(2, 4).repeat(3, 1), dim=1)
    assert cluster_styles(two).labels.tolist() in ([0, 1] * 3, [1, 0] * 3)


def test_the_typical_exemplar_is_closest_to_its_neighbours():
    vectors, labels = groups((30, 1, 4), 0.2)
    for cluster, typical in enumerate(typical_exemplars(vectors, labels)):
        members = np.flatnonzero(labels == cluster)
        distances = np.sort(cdist(vectors[members], vectors[members]), axis=1)[:, 1:21]
        expected = members[np.argmin(distances.mean(axis=1))] if len(members) > 1 else members[0]
        assert typical == expected


def test_many_exemplars_are_clustered_by_a_sample(monkeypatch):
    monkeypatch.setattr(clusters_module, "LARGEST_SAMPLE", 60)
    centres = torch.nn.functional.normalize(torch.randn(4, 16, generator=torch.Generator().manual_seed(0)))
    scanner = torch.randint(4, (500,), generator=torch.Generator().manual_seed(1))
    noise = 0.03 * torch.randn(500, 16, generator=torch.Generator().manual_seed(2))
    found = cluster_styles(torch.nn.functional.normalize(centres[scanner] + noise))
    assert found.count == 4
    assert adjusted_rand_score(scanner.numpy(), found.labels) == 1
