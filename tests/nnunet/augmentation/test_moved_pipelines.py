"""Whole pipelines, workers' part and moved part, against the base trainer's own: the same distribution of images."""

import numpy as np
import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerDA5 import nnUNetTrainerDA5
from scipy.stats import ks_2samp

from intrastyler_nnunet.nnunet.augmentation.intensity import augment_intensity
from intrastyler_nnunet.nnunet.augmentation.parameters import sample_intensity_parameters
from intrastyler_nnunet.nnunet.augmentation.worker_transforms import marking_outside, split_outside, split_pipeline

DRAWS, CHANNELS, PATCH = 2000, 2, (8, 10, 12)


def image() -> torch.Tensor:
    """Two channels that differ, smooth along one axis."""
    noise = torch.randn(CHANNELS, *PATCH, generator=torch.Generator().manual_seed(0))
    return noise.cumsum(dim=2) / 3 + torch.tensor([0.5, -1.0])[:, None, None, None]


def statistics(images: torch.Tensor) -> np.ndarray:
    """Mean, deviation and three quantiles of each channel, (N, C, 5)."""
    voxels = images.flatten(2)
    quantiles = voxels.quantile(torch.tensor([0.1, 0.5, 0.9]), dim=2).movedim(0, 2)
    return torch.cat([voxels.mean(2, keepdim=True), voxels.std(2, keepdim=True), quantiles], dim=2).numpy()


@pytest.mark.parametrize("trainer", [nnUNetTrainer, nnUNetTrainerDA5])
def test_the_moved_pipeline_is_distributed_as_the_bases_own(trainer):
    def pipeline():
        return trainer.get_training_transforms(PATCH, (-0.5, 0.5), None, (0, 1, 2), False)

    kept, moved = split_pipeline(pipeline())
    workers = marking_outside(kept)
    labels = torch.zeros(1, *PATCH, dtype=torch.int16)
    outputs = []
    for seed, transforms in enumerate((pipeline(), workers)):
        np.random.seed(seed)
        torch.manual_seed(seed)
        outputs.append(torch.stack([transforms(image=image(), segmentation=labels.clone())["image"]
                                    for _ in range(DRAWS)]))  # fmt: skip
    own, spatial = outputs
    images, _ = split_outside(spatial, torch.device("cpu"))
    parameters = sample_intensity_parameters(np.random.default_rng(0), moved, DRAWS, CHANNELS, 3)
    formed = augment_intensity(images, parameters, CHANNELS)
    assert not torch.allclose(formed, images)
    ours, base = statistics(formed), statistics(own)
    p_values = [ks_2samp(ours[:, c, s], base[:, c, s]).pvalue for c in range(CHANNELS) for s in range(5)]
    assert min(p_values) > 0.01, p_values
