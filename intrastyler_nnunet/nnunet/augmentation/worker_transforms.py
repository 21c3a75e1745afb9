"""What is left to nnU-Net's workers: its own pipelines without intensity augmentation, plus `MarkOutside`."""
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform

from intrastyler_nnunet.nnunet.mark_outside import MarkOutside

INTENSITY_TRANSFORMS = (
    GaussianNoiseTransform,
    GaussianBlurTransform,
    MultiplicativeBrightnessTransform,
    ContrastTransform,
    SimulateLowResolutionTransform,
    GammaTransform,
)


def without_intensity(pipeline: ComposeTransforms) -> ComposeTransforms:
    """The pipeline without nnU-Net's randomly applied intensity transforms."""
    return ComposeTransforms([transform for transform in pipeline.transforms if not is_intensity(transform)])


def marking_outside(pipeline: ComposeTransforms) -> ComposeTransforms:
    """The pipeline with `MarkOutside` just before the label -1 is removed."""
    transforms = list(pipeline.transforms)
    removal = next(i for i, transform in enumerate(transforms) if isinstance(transform, RemoveLabelTansform))
    return ComposeTransforms([*transforms[:removal], MarkOutside(), *transforms[removal:]])


def is_intensity(transform: BasicTransform) -> bool:
    """Whether this is one of nnU-Net's randomly applied intensity transforms."""
    return isinstance(transform, RandomTransform) and isinstance(transform.transform, INTENSITY_TRANSFORMS)
