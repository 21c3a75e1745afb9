"""What the report says about the exemplars' styles: a plane to draw them on, their clusters, and how far apart."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from intrastyler_nnunet.nnunet import folders
from intrastyler_nnunet.pretraining.competitors import read_subdomains
from intrastyler_nnunet.styles.clusters import Clusters, cluster_styles, typical_exemplars


@dataclass(frozen=True)
class StyleAtlas:
    """The styles of N exemplars, their K-means clusters and the typical exemplar of each (paper section 3).

    Attributes:
        names: case names.
        vectors: (N, K) unit vectors.
        sites: site by case name; empty if unknown.
        clusters: their partition; cluster 0 is the largest.
        typical: index of each cluster's most typical exemplar.
    """

    names: tuple[str, ...]
    vectors: torch.Tensor
    sites: dict[str, str]
    clusters: Clusters
    typical: list[int]

    @cached_property
    def plane(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean style (K,), the two principal axes (2, K), and the share of the variance along each (2,)."""
        points = self.vectors.double().numpy()
        mean = points.mean(axis=0)
        _, deviations, axes = np.linalg.svd(points - mean, full_matrices=False)
        variances = np.zeros(max(2, len(deviations)))
        variances[: len(deviations)] = deviations**2
        return mean, axes[:2], variances[:2] / max(variances.sum(), np.finfo(float).tiny)

    def project(self, vectors: torch.Tensor) -> np.ndarray:
        """(M, K) style vectors -> (M, 2) places on the map."""
        mean, axes, _ = self.plane
        return (vectors.double().numpy() - mean) @ axes.T

    def members(self, cluster: int) -> np.ndarray:
        """Indices of a cluster's exemplars."""
        return np.flatnonzero(self.clusters.labels == cluster)

    @cached_property
    def separability(self) -> np.ndarray:
        """Mean silhouette of each cluster's members, in [-1, 1]: near 1, far from the others; NaN for one cluster."""
        from sklearn.metrics import silhouette_samples

        if not self.clusters.silhouettes:
            return np.full(self.clusters.count, np.nan)
        values = silhouette_samples(self.vectors.double().numpy(), self.clusters.labels)
        return np.array([values[self.members(cluster)].mean() for cluster in range(self.clusters.count)])


def make_atlas(names: tuple[str, ...], vectors: torch.Tensor, sites: dict[str, str]) -> StyleAtlas:
    """Cluster the styles, the largest cluster first, and find the typical exemplars."""
    found = cluster_styles(vectors)
    by_size = np.argsort(-np.bincount(found.labels), kind="stable")
    clusters = Clusters(np.argsort(by_size)[found.labels], found.silhouettes)
    return StyleAtlas(names, vectors, sites, clusters, typical_exemplars(vectors, clusters.labels))


def known_sites(dataset: str, names: tuple[str, ...], pattern: str | None) -> dict[str, str]:
    """Site by case name; empty if there is neither a sites.json nor a pattern.

    Raises:
        InputError: see `read_subdomains`.
    """
    raw = Path(os.environ.get("nnUNet_raw", "")) / folders.dataset_name(dataset)
    if pattern is None and not (raw / "sites.json").is_file():
        return {}
    return read_subdomains(dataset, list(names), pattern)
