"""What the report states about styles, against scikit-learn; and how large and safe the page is."""

import numpy as np
import torch
from plotly.offline import get_plotlyjs
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_samples, silhouette_score

from intrastyler_nnunet.report import figures, sections
from intrastyler_nnunet.report.atlas import StyleAtlas, make_atlas
from intrastyler_nnunet.report.pictures import PICTURE, THUMBNAIL, fullest_level, slice_picture
from intrastyler_nnunet.report.translations import ENDS, STEPS

SIZES = {"c": 5, "a": 12, "b": 9}


def atlas_of(sizes: dict[str, int]) -> StyleAtlas:
    rng = np.random.default_rng(0)
    sites = np.repeat(list(sizes), list(sizes.values()))
    centres = dict(zip(sizes, np.eye(16), strict=False))
    vectors = torch.from_numpy(np.stack([centres[site] + 0.1 * rng.normal(size=16) for site in sites]))
    names = tuple(f"case_{i}" for i in range(len(sites)))
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    return make_atlas(names, vectors, dict(zip(names, sites.tolist(), strict=True)))


def test_the_map_is_a_principal_component_analysis():
    atlas = atlas_of(SIZES)
    expected = PCA(2)
    places = expected.fit_transform(atlas.vectors.numpy())
    np.testing.assert_allclose(np.abs(atlas.project(atlas.vectors)), np.abs(places), atol=1e-9)
    np.testing.assert_allclose(atlas.plane[2], expected.explained_variance_ratio_, atol=1e-9)


def test_clusters_are_numbered_by_size_and_their_separability_is_the_silhouette():
    atlas = atlas_of(SIZES)
    labels = atlas.clusters.labels
    assert np.bincount(labels).tolist() == [12, 9, 5]
    assert [labels[i] for i in atlas.typical] == [0, 1, 2]
    values = silhouette_samples(atlas.vectors.numpy(), labels)
    np.testing.assert_allclose(atlas.separability, [values[labels == c].mean() for c in range(3)])
    np.testing.assert_allclose(np.average(atlas.separability, weights=[12, 9, 5]),
                               silhouette_score(atlas.vectors.numpy(), labels))  # fmt: skip
    table = sections.cluster_table(atlas)
    assert "a 12" in table
    assert "b 9" in table
    assert "c 5" in table


def test_two_equal_exemplars_make_one_cluster_without_a_curve():
    atlas = make_atlas(("x", "y"), torch.eye(2, 8)[:1].repeat(2, 1), {})
    assert atlas.clusters.count == 1
    assert "one cluster" in sections.cluster_table(atlas)
    assert {trace["meta"] for trace in figures.style_map(atlas, None)["data"]} == {"cluster", "all"}


def test_a_slice_has_its_first_axis_across_and_its_second_down():
    import base64
    import io

    from PIL import Image

    volume = torch.full((1, 1, 32, 24, 3), -1.0)
    volume[0, 0, 24:, :8, 1] = 1.0  # in LPS: left, anterior
    content = base64.b64decode(slice_picture(volume, 1, 100).split(",")[1])
    image = np.asarray(Image.open(io.BytesIO(content)))
    assert image.shape == (24, 32)
    assert image[:7, 25:].min() > 240
    assert image[9:].max() < 15


def test_the_fullest_slice_has_most_structures_then_most_voxels():
    labels = np.zeros((3, 4, 4), np.int16)
    labels[0], labels[1, 0, 0], labels[1, 0, 1], labels[2, :2, 0], labels[2, 3, 3] = 1, 1, 2, 1, 2
    assert fullest_level(labels) == 2


def test_noise_in_three_hundred_exemplars_and_all_frames_fits_into_fifteen_megabytes():
    noise = torch.rand(1, 1, 400, 225, 1, generator=torch.Generator().manual_seed(0)) - 0.5  # compresses worst
    pairs = ENDS * (ENDS - 1) // 2
    pictures = 300 * len(slice_picture(noise, 0, THUMBNAIL))
    pictures += (pairs * (STEPS - 1) + ENDS) * len(slice_picture(noise, 0, PICTURE))
    assert pictures + len(get_plotlyjs()) < 15e6
