"""What nnU-Net's workers still do, and how they mark voxels outside the image."""

import pickle

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.inversion import InvertImageTransform
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.pseudo2d import Convert3DTo2DTransform
from batchgeneratorsv2.transforms.utils.random import OneOfTransform, RandomTransform
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.augmentation.worker_transforms import (
    MarkOutside,
    marking_outside,
    split_outside,
    split_pipeline,
)

PATCH = (12, 20, 24)


def stock_training(**options):
    arguments = {"deep_supervision_scales": [[1, 1, 1], [0.5, 0.5, 0.5]], "do_dummy_2d_data_aug": False}
    arguments |= {"mirror_axes": (0, 1, 2), **options}
    return nnUNetTrainer.get_training_transforms(PATCH, (-0.5, 0.5), **arguments)


@pytest.mark.parametrize("cascade", [False, True])
def test_only_transforms_of_the_image_alone_are_moved(cascade):
    stock = stock_training(is_cascaded=cascade, foreground_labels=[1, 2])
    kept, moved = split_pipeline(stock)
    assert [type(transform.transform).__name__ for transform in moved] == [
        "GaussianNoiseTransform", "GaussianBlurTransform", "MultiplicativeBrightnessTransform", "ContrastTransform",
        "SimulateLowResolutionTransform", "GammaTransform", "GammaTransform",
    ]  # fmt: skip
    assert kept.transforms == [transform for transform in stock.transforms if transform not in moved]


def test_whatever_a_trainer_adds_is_moved():
    added = InvertImageTransform(0.5, 0.5, 1.0)
    stock = stock_training()
    moved = split_pipeline(ComposeTransforms([*stock.transforms, RandomTransform(added, 0.5)]))[1]
    assert moved[-1].transform is added


class OfUnknownReach(BasicTransform):
    def apply(self, data_dict, **params):
        return data_dict


@pytest.mark.parametrize(
    ("transforms", "named"),
    [
        ([OfUnknownReach()], "OfUnknownReach may change images, labels or both"),
        ([OneOfTransform([MirrorTransform((0,)), InvertImageTransform(1, 0, 1)])], "MirrorTransform or InvertImage"),
        ([Convert3DTo2DTransform(), InvertImageTransform(1, 0, 1)], "InvertImageTransform sees single slices"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(transforms, named):
    with pytest.raises(InputError, match=named):
        split_pipeline(ComposeTransforms(transforms))


def test_another_kind_of_pipeline_is_refused():
    with pytest.raises(InputError, match="MirrorTransform, expected ComposeTransforms"):
        split_pipeline(MirrorTransform((0,)))
    with pytest.raises(InputError, match="expected RemoveLabelTansform"):
        marking_outside(ComposeTransforms([]))


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
    stock, _ = split_pipeline(stock_training())
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
