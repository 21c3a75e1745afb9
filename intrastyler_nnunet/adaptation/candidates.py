"""Models that can be chosen from, and what each of them makes of the images."""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from tqdm import tqdm

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.trained_model import TrainedModel, read_model
from intrastyler_nnunet.objective.perturbations import MIXTURE, perturb, sample_perturbation
from intrastyler_nnunet.translation.windows import from_generator_space, intensity_window, to_generator_space

JITTERS = 2  # of each image
JITTER_STRENGTH = 0.5  # times that of the negatives of the style contrast, which are other styles


@dataclass(frozen=True)
class Candidate:
    """A model, a fold or a checkpoint, by a name that tells it from the others."""

    name: str
    model: TrainedModel


@dataclass(frozen=True)
class PackedLabels:
    """A label map, compressed, so that those of all models and images fit into memory."""

    content: bytes
    shape: tuple[int, ...]
    kind: str

    @classmethod
    def of(cls, labels: np.ndarray) -> "PackedLabels":
        return cls(zlib.compress(labels.tobytes(), 1), labels.shape, labels.dtype.str)

    def unpacked(self) -> np.ndarray:
        return np.frombuffer(zlib.decompress(self.content), self.kind).reshape(self.shape)


def read_candidates(paths: list[Path]) -> list[Candidate]:
    """At least two models, named by what their paths do not have in common.

    Raises:
        InputError: fewer; one twice; one is no model (`trained_model.read_model`); models of other labels or other
            reading of image files than the first.
    """
    places = [path.resolve() for path in paths]
    if len(set(places)) < len(places):
        raise InputError(f"{next(p for p in paths if places.count(p.resolve()) > 1)}: is named twice, expected once")
    if len(places) < 2:
        raise InputError(f"{len(places)} model, expected two or more to choose from")
    models = [read_model(path) for path in paths]
    for model in models[1:]:
        for what, found, expected in (
            ("labels", model.labels, models[0].labels),
            ("a reader of images", _reader(model), _reader(models[0])),
        ):
            if found != expected:
                raise InputError(f"{model.folder}: has {what} {found}, expected {expected} as {models[0].folder}")
    common = os.path.commonpath(places)
    return [Candidate(os.path.relpath(place, common), model) for place, model in zip(places, models, strict=True)]


def predictions(candidate: Candidate, images: dict[str, Path], device: torch.device) -> dict[str, list[PackedLabels]]:
    """Label maps (Z, Y, X) of each image, and of the image in `JITTERS` other styles, by nnU-Net's own predictor.

    Without mirroring, from which all models gain alike. Every model gets the same jitters.
    """
    model = candidate.model
    predictor = nnUNetPredictor(
        use_mirroring=False, perform_everything_on_device=device.type == "cuda", device=device, allow_tqdm=False
    )
    folds = tuple(fold if fold == "all" else int(fold) for fold in model.folds)
    predictor.initialize_from_trained_model_folder(str(model.folder), folds, model.checkpoint)
    reader = model.plans.image_reader_writer_class()
    result = {}
    for name, path in tqdm(images.items(), candidate.name):
        image, properties = reader.read_images([str(path)])
        label_maps = [
            predictor.predict_single_npy_array(version, properties) for version in (image, *jittered(image, name))
        ]
        result[name] = [PackedLabels.of(labels) for labels in label_maps]
    return result


def jittered(image: np.ndarray, name: str) -> Iterator[np.ndarray]:
    """An image (1, Z, Y, X) in `JITTERS` styles beside its own, always the same for its name.

    The perturbations of the style contrast (paper section 2.2) at `JITTER_STRENGTH`, in the image's own window.
    """
    window = torch.tensor([intensity_window(image[0])])
    unit = to_generator_space(torch.from_numpy(image.astype(np.float32))[None], window)
    seed = zlib.crc32(name.encode())
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(JITTERS):
            change = sample_perturbation(rng, 1, MIXTURE).scaled(np.full((1, 1), JITTER_STRENGTH))
            yield from_generator_space(perturb(unit, change), window)[0].numpy()


def _reader(model: TrainedModel) -> str:
    return model.plans.image_reader_writer_class.__name__
