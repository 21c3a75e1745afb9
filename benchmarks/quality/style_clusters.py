"""Are the sites found without being told? Clusters of style vectors against the true sites of simulated exemplars.

    python -m benchmarks.quality.style_clusters [-g GENERATOR]

90 exemplars of subjects no generator was trained on, the three sites in turn. Printed and written: the adjusted Rand
index of K-means with the number of clusters by silhouette, and with the true number; and the sites of the typical
exemplars (TypiClust), of which there should be one of each site.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from tqdm import tqdm

from benchmarks.quality.simulated_pairs import image_of, style_of
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.simulation.sites import sites_of
from intrastyler_nnunet.styles.clusters import cluster_styles, typical_exemplars
from intrastyler_nnunet.translation.translator import Translator

SEED = 2026  # of the simulation; not the one of any training
FIRST = 1000  # subject; those of other benchmarks have smaller numbers


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-g", dest="generator", type=Path, default=None, help="default: the shipped generator")
    parser.add_argument("--exemplars", type=int, default=90, help="fewer for a quick look")
    output = Path(__file__).parents[1] / "results" / "style_clusters.json"
    parser.add_argument("-o", dest="output", type=Path, default=output, help="result file")
    arguments = parser.parse_args()
    path = arguments.generator or shipped_generator()
    result = {"generator": path.name, "seed": SEED, **measure(Translator(Generator.load(path)), arguments.exemplars)}
    for name, value in result.items():
        print(f"{name:45} {value}")
    write_json(result, arguments.output)


def measure(translator: Translator, count: int) -> dict:
    """Clusters and typical exemplars of `count` exemplars, compared with their sites."""
    names = sites_of("target", seen_only=True)
    sites = np.array([names[number % len(names)] for number in range(count)])
    images = [image_of(SEED, FIRST + number, site) for number, site in enumerate(tqdm(sites))]
    vectors = torch.stack([style_of(translator, image) for image in images])
    found = cluster_styles(vectors)
    told = KMeans(len(names), n_init=10, random_state=0).fit_predict(vectors.double().numpy())
    result = {"exemplars": count, "silhouettes": {k: round(v, 4) for k, v in found.silhouettes.items()}}
    for title, labels in (("number_by_silhouette", found.labels), ("true_number", told)):
        typical = sites[typical_exemplars(vectors, labels)].tolist()
        result[title] = {
            "clusters": len(typical),
            "adjusted_rand_index": round(float(adjusted_rand_score(sites, labels)), 4),
            "sites_of_clusters": [dict(Counter(sites[labels == c].tolist())) for c in range(len(typical))],
            "sites_of_typical_exemplars": typical,
            "one_of_each_site": sorted(typical) == sorted(names),
        }
    return result


if __name__ == "__main__":
    main()
