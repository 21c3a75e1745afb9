"""Generators and style banks whose files were damaged or made by somebody else."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import GeneratorConfig
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.shipped import shipped_generator
from intrastyler_nnunet.styles.bank import StyleBank

DAMAGED = 200
CONFIG = GeneratorConfig(width=2, residual_blocks=1, style_dim=3, style_width=2)
METADATA = GeneratorMetadata(spacing=(1.5, 1.0, 1.0), normalization=("ZScoreNormalization",), training={"steps": 3})


def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(CONFIG, METADATA)


def bank() -> StyleBank:
    torch.manual_seed(0)
    windows = torch.tensor([[-2.0, 4.0], [-1.5, 3.0]])
    return StyleBank(("target_0", "target_1"), F.normalize(torch.randn(2, 3)), windows, torch.rand(2), "0a1b")


def content(value: Generator | StyleBank) -> dict:
    """Everything that a file holds, comparable."""
    if isinstance(value, StyleBank):
        return {name: getattr(value, name) for name in ("names", "fingerprint")} | {
            name: getattr(value, name).tolist() for name in ("vectors", "windows", "dispersion")
        }
    weights = {name: tensor.tolist() for name, tensor in value.state_dict().items()}
    return {"config": value.config, "metadata": value.metadata, **weights}


def rewritten(path: Path, tensors: dict | None = None, **entries: str) -> Path:
    """The file as another program would write it: without checksum, with other tensors and header entries."""
    with safe_open(path, "pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()} | (tensors or {})  # noqa: SIM118 (not a dict)
    del header["sha256"]
    path.write_bytes(save({name: t for name, t in tensors.items() if t is not None}, metadata=header | entries))
    return path


@pytest.mark.parametrize("made", [generator, bank])
def test_what_differs_from_the_original_is_not_loaded(made, tmp_path):
    original, path = made(), tmp_path / "file.safetensors"
    original.save(path)
    expected, whole = content(original), path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    rng, messages = np.random.default_rng(0), []
    for number in range(DAMAGED):
        damaged = bytearray(whole)
        place = int(rng.integers(header if number % 2 else len(whole)))  # half of them in the header
        match number % 4:
            case 0 | 1:
                damaged[place] ^= 1 << int(rng.integers(8))
            case 2:
                damaged[place : place + 64] = bytes(len(damaged[place : place + 64]))
            case 3:
                del damaged[place : place + int(rng.integers(1, 64))]
        path.write_bytes(damaged)
        try:
            assert content(type(original).load(path)) == expected
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 0.9 * DAMAGED
    assert all(str(path) in message and len(message.splitlines()) == 1 for message in messages)


def test_files_of_the_former_version_have_no_checksum_and_are_read():
    with safe_open(shipped_generator(), "pt") as file:
        assert file.metadata().keys() == {"config", "metadata"}
        weight = file.get_tensor("decoder.to_image.weight")
    assert torch.equal(Generator.load(shipped_generator()).decoder.to_image.weight, weight)


@pytest.mark.parametrize(("entry", "changed", "message"), [
    ("config", {"width": 4096}, r"found 'content_encoder.1*.*' of shape \(2, .*\), expected of shape \(4096, "),
    ("config", {"width": 10**9}, "width is 1000000000, expected 4096 or less"),
    ("config", {"width": [2]}, r"width is \[2\], expected a whole number"),
    ("config", {"residual_blocks": 2}, "found 'content_encoder.* none, expected of shape"),
    ("config", {"residual_blocks": 0}, "found 'content_encoder.* of shape .*, expected none"),
    ("config", {"strides": []}, "strides is .*, expected at least 1 item"),
    ("config", {"skip": None}, "skip is null, expected a boolean"),
    ("config", {"depth": 3}, 'unknown entry "depth"'),
    ("metadata", {"spacing": [1.5, float("nan"), 1.0]}, "metadata: spacing.1 is NaN, expected a finite number"),
    ("metadata", {"axes": [0, 0, 1]}, r"metadata: axes is \[0, 0, 1\], expected the axes 0, 1 and 2 in any order"),
    ("metadata", {"label_hint": [1]}, r"metadata: label_hint is \[1\], expected an object"),
    ("metadata", {"codes": {"../x": [1.0, 0.0, 0.0]}}, 'metadata: found the name "../x" in codes'),
    ("metadata", {"codes": {"x": [1.0, 0.0]}}, "the code of x has 2 values, expected 3"),
])  # fmt: skip
def test_a_header_of_other_types_or_of_another_architecture_than_the_weights_is_refused(
    entry, changed, message, tmp_path
):
    """An architecture before it is built, which may take more memory than there is."""
    path = tmp_path / "generator.safetensors"
    generator().save(path)
    original = {"config": CONFIG, "metadata": METADATA}[entry]
    rewritten(path, **{entry: json.dumps(original.to_dict() | changed)})
    with pytest.raises(InputError, match=message):
        Generator.load(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_and_vectors_are_finite(value, tmp_path):
    path, made = tmp_path / "generator.safetensors", generator()
    made.save(path)
    rewritten(path, {"decoder.to_image.bias": torch.tensor([value])})
    with pytest.raises(InputError, match=r"'decoder\.to_image\.bias' has NaN, infinite"):
        Generator.load(path)
    before = path.read_bytes()
    with torch.no_grad():
        made.decoder.to_image.bias.fill_(value)
    with pytest.raises(InputError, match=r"not written: tensor 'decoder\.to_image\.bias'"):
        made.save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("tensors", "entries", "message"),
    [
        ({"vectors": torch.zeros(3, 3)}, {}, "found 2 names and tensors of shapes"),
        ({"vectors": torch.tensor(1.0)}, {}, "found 2 names and tensors of shapes"),
        ({"windows": torch.zeros(2, 3)}, {}, "found 2 names and tensors of shapes"),
        ({"windows": None}, {}, "found 2 names and tensors of shapes"),
        ({"windows": torch.zeros(2, 2, dtype=torch.int64)}, {}, "'windows' has NaN, infinite or integer values"),
        ({"windows": torch.tensor([[-2.0, 4.0], [3.0, -1.5]])}, {}, "window that ends before it begins"),
        ({"dispersion": torch.tensor([0.1, torch.nan])}, {}, "'dispersion' has NaN, infinite or integer values"),
        ({}, {"names": '["a", "/../../../x"]'}, 'names: 1 is "/../../../x", expected a name of 1 to 200 bytes'),
        ({}, {"names": '["a", "a"]'}, "found 1 names"),
        ({}, {"names": '{"a": 1}'}, r'names: found {"a": 1}, expected a style_bank'),
        ({}, {"name": "a"}, "found 'fingerprint', 'name', 'names' in its header"),
    ],
)
def test_banks_that_are_none_are_refused(tensors, entries, message, tmp_path):
    path = tmp_path / "style_bank.safetensors"
    bank().save(path)
    rewritten(path, tensors, **entries)
    with pytest.raises(InputError, match=message):
        StyleBank.load(path)
