"""Groups of similar styles, found without labels: K-means, their number by silhouette (paper section 3)."""

from dataclasses import dataclass

import numpy as np
import torch

LARGEST_NUMBER = 20
LARGEST_SAMPLE = 2000  # exemplars that are clustered themselves; time and memory grow with their square


@dataclass(frozen=True)
class Clusters:
    """A partition of N exemplars.

    Attributes:
        labels: (N,) cluster of each exemplar, from 0.
        silhouettes: mean silhouette in [-1, 1] by number of clusters tried.
    """

    labels: np.ndarray
    silhouettes: dict[int, float]

    @property
    def count(self) -> int:
        """Number of clusters."""
        return int(self.labels.max()) + 1


def cluster_styles(vectors: torch.Tensor, seed: int = 0) -> Clusters:
    """K-means with the number of clusters, from 2 to 20, that has the best mean silhouette.

    Args:
        vectors: (N, K) unit vectors.
        seed: of K-means' starts.

    Returns:
        One cluster if there are fewer than three distinct vectors to tell apart.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    points = vectors.double().cpu().numpy()
    if len(points) > LARGEST_SAMPLE:
        return _clusters_by_sample(points, seed)
    distinct = len(np.unique(points, axis=0))
    if distinct < 3:
        return Clusters(np.unique(points, axis=0, return_inverse=True)[1].ravel(), {})
    partitions, silhouettes = {}, {}
    for number in range(2, min(LARGEST_NUMBER, distinct - 1) + 1):
        partitions[number] = KMeans(number, n_init=10, random_state=seed).fit_predict(points)
        silhouettes[number] = float(silhouette_score(points, partitions[number]))
    return Clusters(partitions[max(silhouettes, key=lambda number: silhouettes[number])], silhouettes)


def _clusters_by_sample(points: np.ndarray, seed: int) -> Clusters:
    """Cluster a sample, and put every other exemplar into the cluster whose centre is nearest."""
    order = np.random.default_rng(seed).permutation(len(points))
    sample = np.sort(order[:LARGEST_SAMPLE])
    found = cluster_styles(torch.from_numpy(points[sample]), seed)
    centres = np.stack([points[sample][found.labels == cluster].mean(axis=0) for cluster in range(found.count)])
    distances = torch.cdist(torch.from_numpy(points), torch.from_numpy(centres))
    labels = distances.argmin(dim=1).numpy()
    labels[sample] = found.labels
    return Clusters(labels, found.silhouettes)


NEIGHBOURS = 20  # TypiClust's number, or all others of a smaller cluster


def typical_exemplars(vectors: torch.Tensor, labels: np.ndarray) -> list[int]:
    """For each cluster the index of the exemplar with the smallest mean distance to its nearest neighbours within it.

    Args:
        vectors: (N, K) unit vectors.
        labels: (N,) clusters, from 0.
    """
    typical = []
    for cluster in range(int(labels.max()) + 1):
        members = np.flatnonzero(labels == cluster)
        points = vectors[torch.from_numpy(members)].double()
        count = min(NEIGHBOURS + 1, len(members))
        distances = torch.cdist(points, points).topk(count, dim=1, largest=False).values[:, 1:]
        # A lone member has no neighbour and is its cluster's most typical one.
        typical.append(int(members[0 if len(members) == 1 else int(distances.mean(dim=1).argmin())]))
    return typical
