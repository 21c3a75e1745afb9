"""The style bank: one style vector per exemplar, with its intensity window and dispersion."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.tensor_file import load_tensors, save_tensors
from intrastyler_nnunet.translation.space import GeneratorSpace
from intrastyler_nnunet.translation.windows import named_case, read_windows
from intrastyler_nnunet.typed_json import FileName, decode_json

BANK_FILE = "style_bank.safetensors"


@dataclass(frozen=True)
class StyleBank:
    """The styles of N exemplars.

    Attributes:
        names: case names of the exemplars.
        vectors: (N, K) unit vectors.
        windows: (N, 2) intensity windows in nnU-Net space.
        dispersion: (N,) 1 - length of the mean unit vector over the exemplar's patches; 0 = one style everywhere.
        fingerprint: of the generator and the target set the bank was built from.
    """

    names: tuple[str, ...]
    vectors: torch.Tensor
    windows: torch.Tensor
    dispersion: torch.Tensor
    fingerprint: str = ""

    def save(self, path: Path | str) -> None:
        """Write to one safetensors file."""
        tensors = {"vectors": self.vectors, "windows": self.windows, "dispersion": self.dispersion}
        save_tensors(path, tensors, {"names": json.dumps(self.names), "fingerprint": self.fingerprint})

    @classmethod
    def load(cls, path: Path | str) -> "StyleBank":
        """Read a bank written by `save`. Raises InputError if `path` is not one, or damaged."""
        expected = "a style_bank.safetensors written by intrastyler"
        tensors, header = load_tensors(path, {"names", "fingerprint"}, expected)
        names = decode_json(header["names"], tuple[FileName, ...], f"{path}: names", expected)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        count, length = len(set(names)), shapes.get("vectors", ())[-1:]
        if count < len(names) or shapes != {"vectors": (count, *length), "windows": (count, 2), "dispersion": (count,)}:
            raise InputError(f"{path}: found {count} names and tensors of shapes {shapes}, expected one row each")
        if (tensors["windows"][:, 0] > tensors["windows"][:, 1]).any():
            raise InputError(f"{path}: found an intensity window that ends before it begins, expected {expected}")
        return cls(names, fingerprint=header["fingerprint"], **tensors)


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
        InputError: there is no preprocessed target image.
    """
    windows = read_windows(target_folder)
    if not windows:
        raise InputError(f"{target_folder}: no preprocessed target images, run `intrastyler add-target` first")
    patch_size = generator.metadata.style_patch_size or tuple(patch_size)
    fingerprint = _fingerprint(generator_path, windows, patch_size)
    if path.is_file():
        bank = StyleBank.load(path)
        if bank.fingerprint == fingerprint:
            return bank
    bank = build_style_bank(generator, target_folder, windows, patch_size, device, fingerprint)
    bank.save(path)
    return bank


@torch.no_grad()
def build_style_bank(generator: Generator, target_folder: Path, windows: dict[str, tuple[float, float]],
                     patch_size: tuple[int, ...], device: torch.device | str,
                     fingerprint: str = "") -> StyleBank:  # fmt: skip
    """Style vector of each exemplar: mean of its patches' unit vectors, renormalised."""
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    dataset = nnUNetDatasetBlosc2(str(target_folder), sorted(windows))
    codes = generator.metadata.codes
    if codes:
        return _bank_of_codes({name: codes[name] for name in sorted(windows) if name in codes}, windows, fingerprint)
    vectors, dispersions = [], []
    for name in dataset.identifiers:
        with named_case(target_folder / name):
            volume = torch.from_numpy(np.asarray(dataset.load_case(name)[0][:1])).to(device)
        vector, dispersion = exemplar_style(generator, volume, windows[name], patch_size)
        vectors.append(vector.cpu())
        dispersions.append(dispersion.cpu())
    return StyleBank(
        names=tuple(dataset.identifiers),
        vectors=torch.stack(vectors),
        windows=torch.tensor([windows[name] for name in dataset.identifiers]),
        dispersion=torch.stack(dispersions),
        fingerprint=fingerprint,
    )


def _bank_of_codes(codes: dict[str, tuple[float, ...]], windows: dict, fingerprint: str) -> StyleBank:
    """The bank of a generator whose styles are codes; exemplars without a code are none of its styles."""
    if not codes:
        raise InputError("the generator's styles are codes, and no preprocessed target image has one")
    return StyleBank(
        names=tuple(codes),
        vectors=torch.tensor([codes[name] for name in codes]),
        windows=torch.tensor([windows[name] for name in codes]),
        dispersion=torch.zeros(len(codes)),
        fingerprint=fingerprint,
    )


def exemplar_style(generator: Generator, volume: torch.Tensor, window: tuple[float, float],
                   patch_size: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Style vector (K,) and dispersion () of one volume (1, *spatial) in nnU-Net space and axis order."""
    bounds = torch.tensor([window], device=volume.device)
    image = GeneratorSpace.of(generator.metadata).enter(volume[None], bounds)
    size = [patch_size[axis] for axis in generator.metadata.axes]
    units = torch.cat([generator.encode_style(patch) for patch in grid_patches(image, size)])
    mean = units.mean(dim=0)
    return F.normalize(mean, dim=0), 1 - mean.norm()


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


def _fingerprint(generator_path: Path, windows: dict[str, tuple[float, float]], patch_size: tuple[int, ...]) -> str:
    digest = hashlib.sha256(Path(generator_path).read_bytes())
    digest.update(json.dumps([windows, list(patch_size)], sort_keys=True).encode())
    return digest.hexdigest()
