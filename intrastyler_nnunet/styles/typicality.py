"""The most typical exemplar of each cluster (TypiClust, Hacohen et al. 2022; paper section 3)."""

import numpy as np
import torch

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
        distances = torch.cdist(points, points).sort(dim=1).values[:, 1 : NEIGHBOURS + 1]
        # A lone member has no neighbour and is its cluster's most typical one.
        typical.append(int(members[0 if len(members) == 1 else int(distances.mean(dim=1).argmin())]))
    return typical
