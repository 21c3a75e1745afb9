"""The style bank: one style vector per exemplar, with its intensity window, dispersion and acquisition."""

import hashlib
import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.locks import locked_in_turn
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.model.tensor_file import load_tensors, save_tensors
from intrastyler_nnunet.styles.clusters import cluster_styles
from intrastyler_nnunet.translation.acquisition import COLUMNS, measured
from intrastyler_nnunet.translation.space import GeneratorSpace
from intrastyler_nnunet.translation.windows import named_case, read_windows
from intrastyler_nnunet.typed_json import FileName, decode_json

BANK_FILE = "style_bank.safetensors"
READERS = 8  # threads that read exemplars ahead, and as many volumes in memory


@dataclass(frozen=True)
class StyleBank:
    """The styles of N exemplars.

    Attributes:
        names: case names of the exemplars.
        vectors: (N, K) unit vectors.
        windows: (N, 2) intensity windows in nnU-Net space.
        dispersion: (N,) 1 - length of the mean unit vector over the exemplar's patches; 0 = one style everywhere.
        fingerprint: of the generator and of the target set the bank was built from, with a hyphen between them.
        clusters: (N,) cluster of each exemplar, from 0 (`clusters.cluster_styles`); made from the vectors if not given.
        acquisitions: (N, COLUMNS) noise, sharpness and quantiles (`acquisition.measured`); None: not measured.
    """

    names: tuple[str, ...]
    vectors: torch.Tensor
    windows: torch.Tensor
    dispersion: torch.Tensor
    fingerprint: str = ""
    clusters: np.ndarray | None = None
    acquisitions: torch.Tensor | None = None

    @cached_property
    def labels(self) -> np.ndarray:
        """Cluster of each exemplar, (N,)."""
        return cluster_styles(self.vectors).labels if self.clusters is None else self.clusters

    def labels_of(self, chosen: np.ndarray) -> np.ndarray:
        """Clusters of some exemplars, numbered from 0 without those that none of them is in; `chosen`: (M,) numbers."""
        return np.unique(self.labels[chosen], return_inverse=True)[1]

    def joined(self, other: "StyleBank", fingerprint: str = "") -> "StyleBank":
        """The exemplars of this bank, then those of another one of the same generator. Raises InputError for one name
        in both."""
        twice = sorted(set(self.names) & set(other.names))
        if twice:
            raise InputError(f"{twice[0]}: is already the name of an exemplar, expected another name")
        vectors, windows, dispersion = (
            torch.cat([getattr(self, name), getattr(other, name)]) for name in ("vectors", "windows", "dispersion")
        )
        measured_in = [bank.acquisitions for bank in (self, other) if bank.acquisitions is not None]
        acquisitions = torch.cat(measured_in) if len(measured_in) == 2 else None
        return StyleBank(
            (*self.names, *other.names), vectors, windows, dispersion, fingerprint, acquisitions=acquisitions
        )

    def acquisitions_for(self, metadata: GeneratorMetadata, wanted: bool | None) -> torch.Tensor | None:
        """What translations of a generator with these metadata are to be acquired with; None: nothing.

        Args:
            metadata: of the generator.
            wanted: None: if the generator was trained for it, and the bank has it.

        Raises:
            InputError: wanted, and the bank does not have it.
        """
        if wanted and self.acquisitions is None:
            raise InputError("acquisition: the style bank has none, expected one that this version built")
        return self.acquisitions if (metadata.acquisition if wanted is None else wanted) else None

    def save(self, path: Path | str) -> None:
        """Write to one safetensors file."""
        tensors = {"vectors": self.vectors, "windows": self.windows, "dispersion": self.dispersion}
        tensors["clusters"] = torch.from_numpy(self.labels.astype(np.float32))
        if self.acquisitions is not None:
            tensors["acquisitions"] = self.acquisitions
        save_tensors(path, tensors, {"names": json.dumps(self.names), "fingerprint": self.fingerprint})

    @classmethod
    def load(cls, path: Path | str) -> "StyleBank":
        """Read a bank written by `save`. Raises InputError if `path` is not one, or damaged."""
        expected = "a style_bank.safetensors written by intrastyler"
        tensors, header = load_tensors(path, {"names", "fingerprint"}, expected)
        clusters = tensors.pop("clusters", None)  # banks of former versions have none
        names = decode_json(header["names"], tuple[FileName, ...], f"{path}: names", expected)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        count, length = len(set(names)), shapes.get("vectors", ())[-1:]
        expected_shapes = {"vectors": (count, *length), "windows": (count, 2), "dispersion": (count,)}
        if "acquisitions" in shapes:  # banks of former versions have none
            expected_shapes["acquisitions"] = (count, COLUMNS)
        if count < len(names) or shapes != expected_shapes:
            raise InputError(f"{path}: found {count} names and tensors of shapes {shapes}, expected one row each")
        if clusters is not None and (
            clusters.shape != (count,) or sorted(set(clusters.tolist())) != list(range(int(clusters.max()) + 1))
        ):
            raise InputError(f"{path}: found clusters that are not numbered from 0, expected {expected}")
        if (tensors["windows"][:, 0] > tensors["windows"][:, 1]).any():
            raise InputError(f"{path}: found an intensity window that ends before it begins, expected {expected}")
        labels = None if clusters is None else clusters.numpy().astype(int)
        return cls(names, fingerprint=header["fingerprint"], clusters=labels, **tensors)


def style_bank(generator: Generator, generator_path: Path, target_folder: Path, patch_size: tuple[int, ...], path: Path,
               device: torch.device | str = "cpu") -> StyleBank:  # fmt: skip
    """The bank of all exemplars in `target_folder`: read from `path` if it is still true, else built and written.

    Args:
        generator: the loaded generator, on `device`.
        generator_path: its file, whose content is part of the bank's fingerprint.
        target_folder: preprocessed target images (`<plans>_<config>_target`).
        patch_size: of the patches whose style vectors are averaged, in nnU-Net's axis order, should the generator
            not state the size its style encoder was trained on.
        path: where the bank is cached.

    Raises:
        InputError: there is neither a preprocessed target image nor a bank of this generator.
    """
    generator_sha256 = hashlib.sha256(Path(generator_path).read_bytes()).hexdigest()
    windows = read_windows(target_folder) if target_folder.is_dir() else {}
    if not windows:
        return _bank_without_targets(path, target_folder, generator_sha256)
    patch_size = generator.metadata.style_patch_size or tuple(patch_size)
    fingerprint = f"{generator_sha256}-{_target_fingerprint(windows, patch_size)}"
    measures = generator.metadata.acquisition or generator.style_encoder is not None
    bank = _bank_of(path, fingerprint, measures)
    if bank is None:
        with locked_in_turn(path.with_name(f".{path.stem}")):  # several folds start at once, and one builds it
            bank = _bank_of(path, fingerprint, measures)
            if bank is None:
                bank = build_style_bank(generator, target_folder, windows, patch_size, device, fingerprint)
                bank.save(path)
    return bank


def _bank_of(path: Path, fingerprint: str, measures: bool) -> StyleBank | None:
    """The bank at `path` if it is of this fingerprint and has all that one of today has."""
    bank = StyleBank.load(path) if path.is_file() else None
    if bank is None or bank.fingerprint != fingerprint or bank.clusters is None:
        return None
    return bank if bank.acquisitions is not None or not measures else None


def bank_of_generator(path: Path, generator_path: Path) -> StyleBank:
    """The bank at `path`. Raises InputError if it was made by another generator than that of `generator_path`."""
    bank = StyleBank.load(path)
    if bank.fingerprint.split("-")[0] != hashlib.sha256(Path(generator_path).read_bytes()).hexdigest():
        raise InputError(f"{path}: a style bank of another generator than {generator_path}, expected one of this")
    return bank


def _bank_without_targets(path: Path, target_folder: Path, generator_sha256: str) -> StyleBank:
    """A generator and its bank do without the images that the bank was built from."""
    bank = StyleBank.load(path) if path.is_file() else None
    if bank is None or bank.fingerprint.split("-")[0] != generator_sha256:
        raise InputError(
            f"{target_folder}: no preprocessed target cases, and no style bank of this generator at {path}; "
            "run intrastyler add-target first"
        )
    return bank


@torch.no_grad()
def build_style_bank(generator: Generator, target_folder: Path, windows: dict[str, tuple[float, float]],
                     patch_size: tuple[int, ...], device: torch.device | str,
                     fingerprint: str = "") -> StyleBank:  # fmt: skip
    """Style vector of each exemplar: mean of its patches' unit vectors, renormalised; or its code."""
    codes = generator.metadata.codes
    names = tuple(name for name in sorted(windows) if not codes or name in codes)
    if not names:
        raise InputError("the generator's styles are codes, and no preprocessed target image has one")
    styles: list[tuple[torch.Tensor, torch.Tensor]] = []
    rows: list[torch.Tensor] = []
    if codes:
        styles = [(torch.tensor(codes[name]), torch.zeros(())) for name in names]
    if not codes or generator.metadata.acquisition:
        for name, volume in _read_ahead(target_folder, names):
            volume = volume.to(device)
            rows.append(exemplar_acquisition(generator.metadata, volume, windows[name]).cpu())
            if not codes:
                vector, dispersion = exemplar_style(generator, volume, windows[name], patch_size)
                styles.append((vector.cpu(), dispersion.cpu()))
    vectors, dispersions = (torch.stack(column) for column in zip(*styles, strict=True))
    return StyleBank(
        names=names,
        vectors=vectors,
        windows=torch.tensor([windows[name] for name in names]),
        dispersion=dispersions,
        fingerprint=fingerprint,
        acquisitions=torch.stack(rows) if rows else None,
    )


def _read_ahead(folder: Path, names: tuple[str, ...]) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and volumes (1, *spatial) of the cases, in their order; the next ones are read meanwhile."""
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    dataset = nnUNetDatasetBlosc2(str(folder), list(names))

    def read(name: str) -> torch.Tensor:
        with named_case(folder / name):
            return torch.from_numpy(np.asarray(dataset.load_case(name)[0][:1]))

    with ThreadPoolExecutor(READERS) as readers:
        waiting: deque[tuple[str, Future]] = deque()
        for name in names:
            waiting.append((name, readers.submit(read, name)))
            if len(waiting) > READERS:
                first, volume = waiting.popleft()
                yield first, volume.result()
        for name, volume in waiting:
            yield name, volume.result()


def exemplar_style(generator: Generator, volume: torch.Tensor, window: tuple[float, float],
                   patch_size: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Style vector (K,) and dispersion () of one volume (1, *spatial) in nnU-Net space and axis order."""
    bounds = torch.tensor([window], device=volume.device)
    image = GeneratorSpace.of(generator.metadata).enter(volume[None], bounds)
    size = [patch_size[axis] for axis in generator.metadata.axes]
    units = torch.cat([generator.encode_style(patch) for patch in grid_patches(image, size)])
    mean = units.mean(dim=0)
    return F.normalize(mean, dim=0), 1 - mean.norm()


def exemplar_acquisition(
    metadata: GeneratorMetadata, volume: torch.Tensor, window: tuple[float, float]
) -> torch.Tensor:
    """Noise, sharpness and quantiles (COLUMNS,) of one volume, as in `exemplar_style`."""
    bounds = torch.tensor([window], device=volume.device)
    return measured(GeneratorSpace.of(metadata).enter(volume[None], bounds))[0]


def grid_patches(image: torch.Tensor, size: list[int]):
    """Patches of `size` (or the image's, where it is smaller) that cover (1, 1, X, Y, Z) evenly, a half overlapping."""
    starts = []
    for extent, length in zip(image.shape[2:], size, strict=True):
        length = min(extent, length)
        steps = max(1, int(np.ceil((extent - length) / max(1, length // 2))) + 1)
        starts.append([(round(start), length) for start in np.linspace(0, extent - length, steps)])
    for x, width in starts[0]:
        for y, height in starts[1]:
            for z, depth in starts[2]:
                yield image[..., x : x + width, y : y + height, z : z + depth]


def _target_fingerprint(windows: dict[str, tuple[float, float]], patch_size: tuple[int, ...]) -> str:
    return hashlib.sha256(json.dumps([windows, list(patch_size)], sort_keys=True).encode()).hexdigest()
