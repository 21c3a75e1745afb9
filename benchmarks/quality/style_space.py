"""Do style vectors tell the sites apart? Judged on patches (ROC-AUC) and on whole images (clusters)."""

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score, roc_auc_score

from benchmarks.quality.simulated_pairs import Image, style_of, tensor
from intrastyler_nnunet.styles.clusters import cluster_styles
from intrastyler_nnunet.translation.translator import Translator
from intrastyler_nnunet.translation.windows import to_generator_space

PATCHES = 4  # per image


@torch.no_grad()
def style_space(translator: Translator, images: list[Image], seed: int) -> dict[str, float]:
    """ROC-AUC of "same image" against "another site" by the cosine of two patches' style vectors; clusters by site."""
    sites = np.array([image.scan.site for image in images])
    rng = np.random.default_rng(seed)
    vectors = torch.cat([_patch_styles(translator, image, rng) for image in images])
    image_of_patch = np.repeat(np.arange(len(images)), PATCHES)
    site_of_patch = sites[image_of_patch]
    first, second = np.triu_indices(len(vectors), k=1)
    same = image_of_patch[first] == image_of_patch[second]
    chosen = same | (site_of_patch[first] != site_of_patch[second])
    cosines = (vectors @ vectors.T).numpy()[first, second]
    clusters = cluster_styles(torch.stack([style_of(translator, image) for image in images]))
    return {
        "roc_auc": float(roc_auc_score(same[chosen], cosines[chosen])),
        "adjusted_rand_index": float(adjusted_rand_score(sites, clusters.labels)),
        "clusters": clusters.count,
    }


def _patch_styles(translator: Translator, image: Image, rng: np.random.Generator) -> torch.Tensor:
    """Style vectors (PATCHES, K) of random patches of the size the style encoder was trained on."""
    metadata, size = translator.generator.metadata, translator.generator.metadata.style_patch_size
    volume = to_generator_space(tensor(image.volume), torch.tensor([image.window]))
    patches = []
    for _ in range(PATCHES):
        starts = [int(rng.integers(0, n - m + 1)) for n, m in zip(volume.shape[2:], size, strict=True)]
        box = tuple(slice(s, s + m) for s, m in zip(starts, size, strict=True))
        patches.append(volume[(..., *box)].permute(0, 1, *(2 + axis for axis in metadata.axes)))
    return translator.generator.encode_style(torch.cat(patches))
