"""Against medpy, MONAI, brute force and geometry done by hand."""

from dataclasses import astuple
from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from medpy.metric import binary as medpy
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from intrastyler_nnunet.evaluation.metrics import EMPTY_PENALTY_MM, evaluate_case
from intrastyler_nnunet.structures import CROSSMODA_LABELS

SPACING = (1.5, 0.41, 0.6)
label_maps = arrays(np.uint8, (4, 5, 3), elements=st.integers(0, 3))
spacings = st.tuples(*[st.floats(0.2, 4)] * 3)


def random_label_map(seed: int, shape=(14, 30, 26)) -> np.ndarray:
    """Blobs of all labels, some of them cut by the image border."""
    noise = np.random.default_rng([seed, 7]).standard_normal((4, *shape))
    return gaussian_filter(noise, (0, 2, 3, 3)).argmax(axis=0)


def flat(scores) -> list[float]:
    """All numbers of a case in a fixed order."""
    groups = (*scores.structures.values(), scores.boundary)
    return [number for group in groups for number in astuple(group)]


@pytest.mark.parametrize("seed", range(5))
def test_dice_and_assd_are_medpys(seed):
    prediction, reference = random_label_map(seed), random_label_map(seed + 100)
    pooled = evaluate_case(prediction, reference, SPACING, CROSSMODA_LABELS)
    directed = evaluate_case(prediction, reference, SPACING, CROSSMODA_LABELS, "directed")
    for name, value in CROSSMODA_LABELS.items():
        masks = prediction == value, reference == value
        assert pooled.structures[name].dice == pytest.approx(medpy.dc(*masks), abs=1e-12)
        assert pooled.structures[name].assd == pytest.approx(medpy.assd(*masks, SPACING), abs=1e-9)
        mean_of_means = (medpy.asd(*masks, SPACING) + medpy.asd(*masks[::-1], SPACING)) / 2
        assert directed.structures[name].assd == pytest.approx(mean_of_means, abs=1e-9)
        assert abs(pooled.structures[name].assd - directed.structures[name].assd) > 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_pooled_assd_is_monais(seed):
    prediction, reference = random_label_map(seed), random_label_map(seed + 100)
    scores = evaluate_case(prediction, reference, SPACING, CROSSMODA_LABELS)
    one_hot = [
        torch.stack([torch.from_numpy(labels == value) for value in range(4)])[None]
        for labels in (prediction, reference)
    ]
    expected = compute_average_surface_distance(*one_hot, symmetric=True, spacing=SPACING)[0]
    found = [structure.assd for structure in scores.structures.values()]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-6)


@pytest.mark.parametrize("tolerance", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(2))
def test_surface_dice_and_95_percent_hausdorff_distance_are_monais(seed, tolerance):
    prediction, reference = random_label_map(seed), random_label_map(seed + 100)
    scores = evaluate_case(prediction, reference, SPACING, CROSSMODA_LABELS, tolerance=tolerance).structures.values()
    one_hot = [
        torch.stack([torch.from_numpy(labels == value) for value in range(4)])[None]
        for labels in (prediction, reference)
    ]
    nsd = compute_surface_dice(*one_hot, [tolerance] * 3, spacing=SPACING)[0]
    hd95 = compute_hausdorff_distance(*one_hot, percentile=95, spacing=SPACING)[0]
    np.testing.assert_allclose([structure.nsd for structure in scores], nsd.numpy(), rtol=1e-6)
    np.testing.assert_allclose([structure.hd95 for structure in scores], hd95.numpy(), rtol=1e-6)


@pytest.mark.parametrize("axis", range(3))
def test_parallel_plates_are_as_far_apart_as_their_voxels(axis):
    prediction, reference = np.zeros((2, 12, 12, 12), int)
    np.moveaxis(prediction, axis, 0)[3, 2:9, 2:9] = 3
    np.moveaxis(reference, axis, 0)[7, 2:9, 2:9] = 3
    cochlea = evaluate_case(prediction, reference, SPACING, CROSSMODA_LABELS).structures["cochlea"]
    assert cochlea.dice == 0
    assert [cochlea.assd, cochlea.hd95] == pytest.approx([4 * SPACING[axis]] * 2)
    assert cochlea.nsd == 0
    assert not cochlea.penalised


@pytest.mark.parametrize("axis", range(3))
def test_a_shifted_boundary_is_as_far_away_as_its_shift(axis):
    def tumour(first_intra_meatal):
        labels = np.zeros((12, 12, 12), int)
        along = np.moveaxis(labels, axis, 0)
        along[2:first_intra_meatal, 3:9, 3:9] = 1
        along[first_intra_meatal:10, 3:9, 3:9] = 2
        return labels

    scores = evaluate_case(tumour(4), tumour(7), SPACING, CROSSMODA_LABELS)
    assert scores.boundary.assd == pytest.approx(3 * SPACING[axis])
    assert scores.structures["extra_meatal"].dice == pytest.approx(2 * 2 / (2 + 5))


@settings(max_examples=30, deadline=None)
@given(label_maps, label_maps, spacings)
def test_boundary_assd_is_that_of_brute_force(prediction, reference, spacing):
    def interface(labels):
        points = []
        for voxel in product(*map(range, labels.shape)):
            for axis in range(3):
                neighbour = tuple(index + (axis == other) for other, index in enumerate(voxel))
                if neighbour[axis] < labels.shape[axis] and {labels[voxel], labels[neighbour]} == {1, 2}:
                    points.append((np.array(voxel) + neighbour) / 2 * spacing)
        return np.array(points)

    boundary = evaluate_case(prediction, reference, spacing, CROSSMODA_LABELS).boundary
    predicted, true = interface(prediction), interface(reference)
    if not len(predicted) or not len(true):
        assert boundary.assd == (EMPTY_PENALTY_MM if len(predicted) or len(true) else 0)
        return
    distances = cdist(predicted, true)
    expected = np.concatenate([distances.min(axis=0), distances.min(axis=1)]).mean()
    assert boundary.assd == pytest.approx(expected, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(label_maps, label_maps, spacings, st.sampled_from(["pooled", "directed"]))
def test_scores_do_not_depend_on_order_axes_flips_or_padding(prediction, reference, spacing, definition):
    def score(first, second, voxel):
        return flat(evaluate_case(first, second, voxel, CROSSMODA_LABELS, definition))

    expected = pytest.approx(score(prediction, reference, spacing), abs=1e-9)
    assert score(reference, prediction, spacing) == expected
    for axes in permutations(range(3)):
        permuted = prediction.transpose(axes), reference.transpose(axes)
        assert score(*permuted, [spacing[axis] for axis in axes]) == expected
    assert score(prediction[::-1, :, ::-1], reference[::-1, :, ::-1], spacing) == expected
    assert score(np.pad(prediction, 3), np.pad(reference, 3), spacing) == expected


@settings(max_examples=50, deadline=None)
@given(label_maps, label_maps, spacings)
def test_scores_stay_in_their_ranges(prediction, reference, spacing):
    scores = evaluate_case(prediction, reference, spacing, CROSSMODA_LABELS)
    diagonal = np.linalg.norm(np.multiply(prediction.shape, spacing))
    for structure in scores.structures.values():
        assert 0 <= structure.dice <= 1
        assert 0 <= structure.nsd <= 1
        for distance in (structure.assd, structure.hd95):
            assert distance == EMPTY_PENALTY_MM if structure.penalised else 0 <= distance <= diagonal
    perfect = evaluate_case(reference, reference, spacing, CROSSMODA_LABELS)
    assert flat(perfect) == [1, 0, 1, 0, False] * 3 + [0, False]


def test_rules_for_empty_masks():
    empty, full = np.zeros((5, 5, 5), int), np.zeros((5, 5, 5), int)
    full[1, 2, 2], full[2, 2, 2], full[3, 3, 3] = 1, 2, 3
    nothing = [0, EMPTY_PENALTY_MM, 0, EMPTY_PENALTY_MM, True] * 3 + [EMPTY_PENALTY_MM, True]
    assert flat(evaluate_case(empty, empty, SPACING, CROSSMODA_LABELS)) == [1, 0, 1, 0, False] * 3 + [0, False]
    assert flat(evaluate_case(empty, full, SPACING, CROSSMODA_LABELS)) == nothing
    assert flat(evaluate_case(full, empty, SPACING, CROSSMODA_LABELS)) == nothing


def test_a_missing_extra_meatal_part_leaves_no_boundary():
    reference = np.zeros((5, 5, 5), int)
    reference[2, 2, 2] = 2
    prediction = reference.copy()
    prediction[1, 2, 2] = 1
    scores = evaluate_case(prediction, reference, SPACING, CROSSMODA_LABELS)
    assert scores.boundary.assd == EMPTY_PENALTY_MM
    assert scores.boundary.penalised
    assert scores.structures["intra_meatal"].dice == 1


def test_a_structure_may_be_made_of_several_labels():
    prediction, reference = random_label_map(1), random_label_map(2)
    scores = evaluate_case(prediction, reference, SPACING, {"tumour": (1, 2), "cochlea": 3})
    masks = np.isin(prediction, (1, 2)), np.isin(reference, (1, 2))
    assert scores.structures["tumour"].dice == pytest.approx(medpy.dc(*masks))
    assert scores.structures["tumour"].assd == pytest.approx(medpy.assd(*masks, SPACING))
    assert scores.boundary is None


def test_arrays_of_different_shape_are_refused():
    with pytest.raises(ValueError, match="do not match"):
        evaluate_case(np.zeros((2, 2, 2), int), np.zeros((2, 2, 3), int), SPACING, CROSSMODA_LABELS)
