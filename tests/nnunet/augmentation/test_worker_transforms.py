"""What nnU-Net's workers still do, and how they mark voxels outside the image."""

import pickle

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from intrastyler_nnunet.nnunet.augmentation.worker_transforms import (
    MarkOutside,
    is_intensity,
    marking_outside,
    split_outside,
    without_intensity,
)

PATCH = (12, 20, 24)


def stock_training(**options):
    arguments = {"deep_supervision_scales": [[1, 1, 1], [0.5, 0.5, 0.5]], "do_dummy_2d_data_aug": False}
    arguments |= {"mirror_axes": (0, 1, 2), **options}
    return nnUNetTrainer.get_training_transforms(PATCH, (-0.5, 0.5), **arguments)


@pytest.mark.parametrize("cascade", [False, True])
def test_only_intensity_transforms_are_removed(cascade):
    stock = stock_training(is_cascaded=cascade, foreground_labels=[1, 2])
    kept = without_intensity(stock).transforms
    removed = [transform for transform in stock.transforms if transform not in kept]
    assert len(removed) == 7
    assert all(is_intensity(transform) for transform in removed)
    assert kept == [transform for transform in stock.transforms if transform not in removed]


def test_outside_is_marked_just_before_the_label_is_removed():
    for stock in (stock_training(), nnUNetTrainer.get_validation_transforms(None)):
        transforms = marking_outside(stock).transforms
        kinds = [type(transform) for transform in transforms]
        assert kinds[kinds.index(MarkOutside) + 1] is RemoveLabelTansform
        del transforms[kinds.index(MarkOutside)]
        assert transforms == stock.transforms


def padded_patch() -> tuple[torch.Tensor, torch.Tensor]:
    """An image of 3 inside a patch of padding, with a region of background (label -1, value -2) inside it."""
    image, labels = torch.zeros(1, *PATCH), torch.full((1, *PATCH), -1, dtype=torch.int16)
    image[:, 2:10, 4:16, 4:20], labels[:, 2:10, 4:16, 4:20] = 3.0, 1
    image[:, 2:10, 4:6, 4:20], labels[:, 2:10, 4:6, 4:20] = -2.0, -1
    return image, labels


def test_padding_is_marked_and_background_is_not():
    image, labels = padded_patch()
    before = image.clone()
    marked = MarkOutside()(image=image, segmentation=labels)["image"]
    assert torch.equal(marked.isnan(), before == 0)
    assert torch.equal(image, before)
    restored, outside = split_outside(marked[None], torch.device("cpu"))
    assert torch.equal(restored[0], before)
    assert torch.equal(outside[0], before == 0)
    same, nothing = split_outside(before[None], torch.device("cpu"))
    assert torch.equal(same[0], before)
    assert nothing is None


def test_zero_intensity_inside_the_image_is_not_marked():
    image, labels = padded_patch()
    image[0, 5, 10, 10] = 0
    marked = MarkOutside()(image=image, segmentation=labels)["image"]
    assert marked[0, 5, 10, 10] == 0


def test_the_whole_pipeline_gives_stock_labels_and_images_but_for_the_marks():
    """Same random numbers: nnU-Net's pipeline without intensity, and ours, agree up to the NaN."""
    image, labels = padded_patch()
    stock = without_intensity(stock_training())
    outputs = []
    for pipeline in (stock, pickle.loads(pickle.dumps(marking_outside(stock)))):
        np.random.seed(2)
        torch.manual_seed(2)
        outputs.append(pipeline(image=image.clone(), segmentation=labels.clone()))
    expected, ours = outputs
    for a, b in zip(expected["segmentation"], ours["segmentation"], strict=True):
        assert torch.equal(a, b)
    assert torch.equal(ours["image"].nan_to_num(0), expected["image"])
    assert ours["image"].isnan().any()


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_a_read_only_image_is_not_written_to():
    array = np.zeros((1, 4, 4, 4), np.float32)
    array.flags.writeable = False
    image = torch.from_numpy(array)
    labels = torch.full((1, 4, 4, 4), -1, dtype=torch.int16)
    assert MarkOutside()(image=image, segmentation=labels)["image"].isnan().all()
    assert (array == 0).all()
