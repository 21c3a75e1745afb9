"""Files whose bytes were damaged at random are refused in one line, or hold what they held before.

Generators, banks and checkpoints carry checksums, and so does gzip: nothing else may be loaded from them. An image that
is not compressed has none, and neither has JSON: of these it is only asked that whatever is loaded has the types,
ranges and sizes that are checked at the door.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK
import torch
from tiny_dataset import SHAPE, head, tiny_generator, write_image

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.images import read_volume
from intrastyler_nnunet.model import config as architectures
from intrastyler_nnunet.model.config import DiscriminatorConfig, GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.offline.dataset import read_synthesis
from intrastyler_nnunet.pretraining.state import CHECKPOINT_FILE, initial_state, load_checkpoint, save_checkpoint
from intrastyler_nnunet.styles.bank import StyleBank

PRESET = (GeneratorConfig(width=2, residual_blocks=1, style_dim=3, style_width=2), DiscriminatorConfig(width=2))
CONFIG = PretrainingConfig(
    preset="narrow", patch_size=(8, 16, 16), style_patch_size=(8, 12, 12), iterations=2, style_warmup=1
)
CPU = torch.device("cpu")
WITHOUT_CHECKSUM = ("JSON", "NIfTI, not compressed")


def damaged(content: bytes, rng: np.random.Generator, number: int) -> bytes:
    """One of four kinds of damage, in turn; every second one within the first 400 bytes, where headers are."""
    result = bytearray(content)
    place = int(rng.integers(min(400, len(content)) if number // 4 % 2 else len(content)))
    match number % 4:
        case 0:
            result[place] ^= 1 << int(rng.integers(8))
        case 1:
            result[place : place + 64] = bytes(len(result[place : place + 64]))
        case 2:
            del result[place : place + int(rng.integers(1, 64))]
        case 3:
            result[place:place] = rng.bytes(int(rng.integers(1, 64)))
    return bytes(result)


def families(folder: Path) -> dict[str, tuple[Path, Callable[[Path], object]]]:
    """Kinds of files, each with a sound one and what reads it to something comparable."""
    generator, image = tiny_generator(), head(np.random.default_rng(0), 1)[0]
    generator.save(folder / "generator.safetensors")
    vectors = torch.nn.functional.normalize(torch.randn(2, 8, generator=torch.manual_seed(0)), dim=1)
    StyleBank(("x", "y"), vectors, torch.tensor([[0.0, 1.0]] * 2), torch.zeros(2)).save(folder / "bank.safetensors")
    write_image(folder / "image.nii.gz", image[:, : SHAPE[1] // 2, : SHAPE[2] // 2])
    (folder / "image.nii").write_bytes(gzip.decompress((folder / "image.nii.gz").read_bytes()))
    what = dict.fromkeys(("dataset", "plans", "configuration", "generator_sha256", "policy"), "x")
    what |= {"styles_per_case": 1, "p_slerp": 0.0, "seed": 0}
    cases = {f"a{number}": {"case": "a", "exemplars": ["x"], "t": 0.5} for number in range(9)}
    (folder / "record.json").write_text(json.dumps({"synthesis": what, "bank": "x", "cases": cases}))
    architectures.PRESETS["narrow"] = PRESET
    save_checkpoint(_state(), CONFIG, folder)
    return {
        "generator": (folder / "generator.safetensors", _of_generator),
        "bank": (folder / "bank.safetensors", lambda path: str(StyleBank.load(path))),
        "checkpoint": (folder / CHECKPOINT_FILE, _of_checkpoint),
        "NIfTI": (folder / "image.nii.gz", _of_image),
        "NIfTI, not compressed": (folder / "image.nii", _of_image),
        "JSON": (folder / "record.json", read_synthesis),
    }


def damage_at_random(folder: Path, count: int) -> dict[str, Counter]:
    """How many of `count` files of each kind were refused, were as before, or (without checksum) were other ones.

    Raises AssertionError for one with a checksum that was another one, or a refusal that is not one line with the
    file's name; whatever else is raised is a fault too.
    """
    outcomes = {}
    for family, (path, read) in families(folder).items():
        sound, expected, rng, found = path.read_bytes(), read(path), np.random.default_rng(0), Counter()
        for number in range(count):
            path.write_bytes(damaged(sound, rng, number))
            try:
                outcome = "as before" if read(path) == expected else "another"
            except InputError as error:
                outcome, line = "refused", str(error)
                if path.name not in line or len(line.splitlines()) != 1:
                    raise AssertionError(f"{family} {number}: {line}") from error
            assert outcome != "another" or family in WITHOUT_CHECKSUM, f"{family} {number}"
            found[outcome] += 1
        outcomes[family] = found
    return outcomes


def _state():
    return initial_state(CONFIG, GeneratorMetadata(spacing=(1.5, 1.0, 1.0)), CPU)


def _of_generator(path: Path) -> object:
    generator = Generator.load(path)
    return generator.config, generator.metadata, _values(generator)


def _of_checkpoint(path: Path) -> object:
    state = _state()
    assert load_checkpoint(state, CONFIG, path.parent)
    optimizers = str(state.generator_optimizer.state_dict()), str(state.discriminator_optimizer.state_dict())
    modules = [state.average, *state.networks.modules().values()]
    return state.iteration, state.skipped, optimizers, [_values(module) for module in modules]


def _of_image(path: Path) -> object:
    image = read_volume(path)
    place = image.GetSpacing(), image.GetOrigin(), image.GetDirection(), image.GetPixelID()
    return place, SimpleITK.GetArrayViewFromImage(image).tobytes()


def _values(module: torch.nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}
