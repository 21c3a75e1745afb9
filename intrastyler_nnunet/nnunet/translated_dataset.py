"""nnU-Net's dataset class with cases translated as they are loaded."""
from collections.abc import Callable

import numpy as np
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetBaseDataset


def translated_dataset_class(
    stock: type[nnUNetBaseDataset], translate: Callable[[str, np.ndarray, np.ndarray], np.ndarray]
) -> type[nnUNetBaseDataset]:
    """A subclass of `stock` whose `load_case` returns `translate(case, image, labels)` for the image."""

    class TranslatedDataset(stock):
        def load_case(self, identifier: str):
            image, labels, previous_labels, properties = super().load_case(identifier)
            return translate(identifier, image[:], labels[:]), labels, previous_labels, properties

    return TranslatedDataset
