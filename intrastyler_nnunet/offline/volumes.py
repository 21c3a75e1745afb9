"""Image files through nnU-Net's preprocessing, as a generator's metadata state it, and back to their own grid."""

from dataclasses import dataclass

import numpy as np
import SimpleITK
import torch
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.metadata import GeneratorMetadata

CONFIGURATION = "generator"  # of the plans that stand for a generator's metadata


@dataclass(frozen=True)
class PreprocessedFile:
    """An image as nnU-Net's preprocessing leaves it, and what is needed to go back.

    Attributes:
        volume: (1, 1, *spatial), float32, in nnU-Net space.
        labels: (1, 1, *spatial), whole numbers; -1 outside the nonzero region. Zeros without a label map.
        original: the image.
        properties: of nnU-Net, which say how it was cropped and resampled.
    """

    volume: torch.Tensor
    labels: torch.Tensor
    original: SimpleITK.Image
    properties: dict

    @property
    def outside(self) -> torch.Tensor | None:
        """(1, 1, *spatial) bool, voxels that are no image; None: there are none."""
        outside = (self.labels == -1) & (self.volume == 0)
        return outside if outside.any() else None


def preprocessed(
    image: SimpleITK.Image,
    metadata: GeneratorMetadata,
    labels: SimpleITK.Image | None = None,
    normalised: bool = True,
) -> PreprocessedFile:
    """Bring an image to nnU-Net space by nnU-Net's own preprocessor: orientation, crop, normalisation, resampling.

    What the metadata do not state is left as it is: an image keeps its spacing and its intensities, and its axes are
    taken for LPS.

    Args:
        image: 3D, one channel.
        metadata: of the generator.
        labels: on the image's grid.
        normalised: False keeps the image's own intensities.

    Raises:
        InputError: the metadata name a normalisation that needs intensity properties, and lack them.
    """
    upright = as_trained(image, metadata)
    plans = _plans_of(metadata, upright.GetSpacing()[::-1], normalised)
    array = SimpleITK.GetArrayFromImage(upright).astype(np.float32)[None]
    segmentation, dataset_json = None, {}
    if labels is not None:
        segmentation = SimpleITK.GetArrayFromImage(as_trained(labels, metadata)).astype(np.int16)[None]
        values = {f"label {value}": int(value) for value in range(1, int(segmentation.max()) + 1)}
        dataset_json = {"labels": {"background": 0} | values}
    data, segmentation, properties = DefaultPreprocessor(verbose=False).run_case_npy(
        array,
        segmentation,
        {"spacing": list(upright.GetSpacing()[::-1])},
        plans,
        plans.get_configuration(CONFIGURATION),
        dataset_json,
    )
    volume, found = (torch.from_numpy(np.ascontiguousarray(values))[None] for values in (data, segmentation))
    return PreprocessedFile(volume.float(), found, image, properties | {"transpose": plans.transpose_backward})


def on_own_grid(
    volume: torch.Tensor, file: PreprocessedFile, metadata: GeneratorMetadata, background: float
) -> SimpleITK.Image:
    """Put a volume in the place of a preprocessed file's back on the grid of that file's image.

    Args:
        volume: (1, 1, *spatial) as the file's.
        file: what `preprocessed` returned.
        metadata: with which it was preprocessed.
        background: value where nnU-Net cropped the image.

    Returns:
        float32, on the grid and in the orientation of the image.
    """
    properties, spacing = file.properties, [1.0] * 3
    resampled = resample_data_or_seg_to_shape(
        volume[0].cpu().numpy(), properties["shape_after_cropping_and_before_resampling"], spacing, spacing, order=1
    )
    whole = np.full(properties["shape_before_cropping"], background, np.float32)
    whole[tuple(slice(*bounds) for bounds in properties["bbox_used_for_cropping"])] = resampled[0]
    result = SimpleITK.GetImageFromArray(np.ascontiguousarray(whole.transpose(properties["transpose"])))
    result.CopyInformation(as_trained(file.original, metadata))
    direction = file.original.GetDirection()
    orientation = SimpleITK.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(direction)
    result = SimpleITK.DICOMOrient(result, orientation)
    result.CopyInformation(file.original)
    return result


def as_trained(image: SimpleITK.Image, metadata: GeneratorMetadata) -> SimpleITK.Image:
    """The image with its axes reordered and flipped to run as the training images' did (unknown: LPS)."""
    return SimpleITK.DICOMOrient(image, metadata.orientation or "LPS")


def _plans_of(metadata: GeneratorMetadata, own_spacing: tuple[float, ...], normalised: bool) -> PlansManager:
    """nnU-Net's plans, as far as its preprocessor reads them, that the generator was trained with."""
    order = list(metadata.transpose_forward or (0, 1, 2))
    schemes = list(metadata.normalization or ("NoNormalization",)) if normalised else ["NoNormalization"]
    if schemes[0] == "CTNormalization" and metadata.intensity_properties is None:
        raise InputError(
            "the generator was trained on images normalised by CTNormalization and does not state their intensities; "
            "expected one that does, from intrastyler pretrain"
        )
    resampling = {"resampling_fn_data": 3, "resampling_fn_seg": 1}  # nnU-Net's orders
    configuration = {
        "spacing": list(metadata.spacing or [own_spacing[axis] for axis in order]),
        "normalization_schemes": schemes,
        "use_mask_for_norm": list(metadata.use_mask_for_norm or (False,)),
        "patch_size": [1, 1, 1],
        "architecture": {},
    }
    for name, interpolation in resampling.items():
        configuration[name] = "resample_data_or_seg_to_shape"
        is_labels = name.endswith("seg")
        configuration[f"{name}_kwargs"] = {
            "is_seg": is_labels, "order": interpolation, "order_z": 0, "force_separate_z": None,
        }  # fmt: skip
    return PlansManager(
        {
            "label_manager": "LabelManager",
            "transpose_forward": order,
            "transpose_backward": [order.index(axis) for axis in range(3)],
            "foreground_intensity_properties_per_channel": {"0": metadata.intensity_properties or {}},
            "configurations": {CONFIGURATION: configuration},
        }
    )
