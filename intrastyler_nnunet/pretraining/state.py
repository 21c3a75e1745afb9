"""The state of a training run, written atomically, so that a run cut at any moment can go on."""

import json
import os
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from intrastyler_nnunet.errors import InputError, reason_of
from intrastyler_nnunet.files import written_atomically
from intrastyler_nnunet.model.config import preset
from intrastyler_nnunet.model.decoder import Decoder
from intrastyler_nnunet.model.discriminator import Discriminator
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.layers import DynamicInstanceNorm
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.model.resampling import lay_weights_channels_last
from intrastyler_nnunet.objective.config import PretrainingConfig, default_settings
from intrastyler_nnunet.objective.forward_pass import Networks
from intrastyler_nnunet.objective.patch_nce import PatchProjector
from intrastyler_nnunet.objective.terms import TERMS
from intrastyler_nnunet.typed_json import decode_json

CONFIG_FILE = "config.json"
CHECKPOINT_FILE = "checkpoint.pt"
PREVIOUS_NAME = "checkpoint_previous.pt"  # the one before, should the latest be damaged
COUNTERS = ("iteration", "skipped", "skipped_in_a_row")
FREE_SETTINGS = (
    "recipe",
    "precision",
    "accumulate",
    "checkpointing",
)  # may change in the course of a run; `inputs` has the patches of a step


@dataclass
class TrainingState:
    """Everything that changes while training. Random numbers are seeded per iteration and need no place here."""

    networks: Networks
    average: Generator  # exponential moving average of the generator
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam
    scaler: torch.amp.GradScaler = field(default_factory=lambda: torch.amp.GradScaler(enabled=False))
    inputs: dict = field(default_factory=dict)  # what it is trained on, by name (JSON values); does not change
    iteration: int = 0
    skipped: int = 0  # updates whose gradient was not finite
    skipped_in_a_row: int = 0


def save_checkpoint(state: TrainingState, config: PretrainingConfig, folder: Path) -> None:
    """Write the state to `folder`, and keep the checkpoint before it.

    Raises:
        InputError: it cannot be written (a full disk); the checkpoints that are there stay as they are.
    """
    content = {
        **{name: getattr(state, name) for name in COUNTERS},
        "scaler": state.scaler.state_dict(),
        "config": json.dumps(config.to_dict()),
        "inputs": json.dumps(state.inputs),
        "architecture": json.dumps(state.average.config.to_dict()),
        "average": state.average.state_dict(),
        "generator_optimizer": state.generator_optimizer.state_dict(),
        "discriminator_optimizer": state.discriminator_optimizer.state_dict(),
        **{name: module.state_dict() for name, module in state.networks.modules().items()},
    }
    path = folder / CHECKPOINT_FILE
    try:
        with written_atomically(path) as temporary:
            torch.save(content, temporary)
            if path.exists():
                os.replace(path, folder / PREVIOUS_NAME)
    except (OSError, RuntimeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else f"{path}: {str(error).splitlines()[0]}"
        raise InputError(f"{reason}; it cannot be written, earlier checkpoints are intact") from None


def load_checkpoint(state: TrainingState, config: PretrainingConfig, folder: Path) -> bool:
    """Restore the state in place from the latest readable checkpoint; False if `folder` has none.

    Raises:
        InputError: the checkpoint was made with other settings or from other inputs, so going on would mix two runs;
            or none is readable.
    """
    paths = [path for path in (folder / CHECKPOINT_FILE, folder / PREVIOUS_NAME) if path.is_file()]
    if not paths:
        return False
    path, content = _latest_readable(paths)
    _require_same_run(path, content, state, config)
    try:
        for name, module in state.networks.modules().items():
            module.load_state_dict(content[name])
    except (KeyError, RuntimeError):
        raise InputError(
            f"{path}: its network {name} is that of a former version, expected this one's; use a new folder"
        ) from None
    state.average.load_state_dict(content["average"])
    state.generator_optimizer.load_state_dict(content["generator_optimizer"])
    state.discriminator_optimizer.load_state_dict(content["discriminator_optimizer"])
    if state.scaler.is_enabled() and content["scaler"]:
        state.scaler.load_state_dict(content["scaler"])
    for name in COUNTERS:
        setattr(state, name, content[name])
    return True


def _require_same_run(path: Path, content: dict, state: TrainingState, config: PretrainingConfig) -> None:
    before, now = _stored(path, content, "config"), json.loads(json.dumps(config.to_dict()))
    before = json.loads(json.dumps(default_settings())) | before  # of settings that are younger than the checkpoint
    if before.get("nce_sampling") == "qs_attn":  # of a former version
        before["attention_layers"] = [layer for layer in before["nce_layers"] if layer > 4]
    if "architecture" in content:  # a preset may have become another one since
        before["architecture"] = _stored(path, content, "architecture")
        now["architecture"] = json.loads(json.dumps(state.average.config.to_dict()))
    if now["iterations"] < before["iterations"]:
        raise InputError(
            f"{path}: of a run of {before['iterations']} iterations, expected as many or more, not {now['iterations']}"
        )
    names = [name for name in now if name not in (*FREE_SETTINGS, "iterations")]
    changed = [f"{name} {before.get(name)} -> {now[name]}" for name in names if not _agree(before.get(name), now[name])]
    if changed:
        raise InputError(f"{path}: made with other settings ({'; '.join(changed)}), expected the same or a new folder")
    before, now = _stored(path, {"inputs": "{}"} | content, "inputs"), json.loads(json.dumps(state.inputs))
    changed = [name for name in before if not _agree(before[name], now.get(name))]
    if changed:
        raise InputError(f"{path}: made with other {', '.join(changed)}, expected the same or a new folder")


def _agree(before: Any, now: Any) -> bool:
    """Whether two inputs are the same; entries that are younger than the checkpoint do not count."""
    if isinstance(before, dict) and isinstance(now, dict):
        return all(name in now and now[name] == value for name, value in before.items())
    return before == now


def _stored(path: Path, content: dict, name: str) -> dict:
    """A description in a checkpoint; what it holds is only compared."""
    return decode_json(content[name], dict, f"{path}: {name}", "a checkpoint written by intrastyler")


def _latest_readable(paths: list[Path]) -> tuple[Path, dict]:
    """Read the first of `paths` (newest first) that is intact, and remove the damaged ones before it."""
    for number, path in enumerate(paths):
        try:
            content = read_whole(path)
        except Exception as error:  # whatever a damaged file raises
            print(f"{path}: not readable ({(str(error) or type(error).__name__).splitlines()[0]})")
            continue
        for damaged in paths[:number]:  # the next checkpoint would move it to where the intact one is
            damaged.unlink(missing_ok=True)
        return path, content
    raise InputError(f"{paths[0]}: no readable checkpoint, expected one written by intrastyler; use a new folder")


def read_whole(path: Path) -> dict:
    """A checkpoint all of whose bytes are what was written; torch itself does not look at the checksums."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} in it is damaged")
    content = torch.load(path, map_location="cpu", weights_only=True)
    missing = {*COUNTERS, "config"} - content.keys()
    if missing:
        raise ValueError(f"no {', '.join(sorted(missing))} in it")
    return content


XAVIER_GAIN = 0.02
STYLE_DEVIATION = 0.2  # of DIN's gamma and beta over random unit style vectors, before training


def initial_state(config: PretrainingConfig, metadata: GeneratorMetadata, device: torch.device) -> TrainingState:
    """Untrained networks and their optimizers; the same on every rank.

    The generator begins with `config.pretrained_weights`, if there are any.

    Raises:
        InputError: these are no generator of the same architecture and method, or a target case had another code.
    """
    torch.manual_seed(config.seed)
    generator_config, discriminator_config = preset(config.preset)
    if metadata.codes:
        length = len(next(iter(metadata.codes.values())))
        generator_config = replace(generator_config, style_dim=length, style_width=0)
    if config.label_hint is not None:
        generator_config = replace(generator_config, label_channels=len(config.label_hint.channels))
    if config.conditional_discriminator:
        discriminator_config = replace(discriminator_config, style_dim=generator_config.style_dim)
    with device:
        networks = Networks(
            Generator(generator_config, metadata),
            PatchProjector(generator_config, config.nce_layers),
            Discriminator(discriminator_config),
        )
        for name, term in TERMS.items():
            if term.networks and config.uses(name):
                networks.of_terms |= term.networks(networks.generator, config)
        average = Generator(generator_config, metadata).requires_grad_(False)
    initialise = _xavier if config.initial_weights == "xavier" else _spread
    for module in (networks.generator, networks.projector, networks.discriminator):
        module.apply(initialise)
    if config.initial_weights == "xavier" and "content" in networks.of_terms:  # in the released code a part of G
        networks.of_terms["content"].apply(initialise)
    if config.pretrained_weights is not None:
        networks.generator.load_state_dict(_pretrained(config.pretrained_weights, networks.generator))
    average.load_state_dict(networks.generator.state_dict())
    networks.checkpoint(config.checkpointing)
    for network in (*networks.modules().values(), average):
        lay_weights_channels_last(network)
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
    return TrainingState(networks, average, *_optimizers(networks, config), scaler)


def _pretrained(path: str, generator: Generator) -> dict[str, torch.Tensor]:
    """Weights of another generator of the same architecture and method; a line says where its input differed."""
    other = Generator.load(path)
    shared = other.metadata.codes.keys() & generator.metadata.codes.keys()
    codes, codes_here = ({case: g.metadata.codes[case] for case in sorted(shared)} for g in (other, generator))
    for name, found, expected in (
        ("architecture", other.config, generator.config),
        ("method", other.metadata.method, generator.metadata.method),
        ("style codes", codes, codes_here),
    ):
        if found != expected:
            raise InputError(f"{path}: {name} {found}, expected {expected}")
    for name in ("spacing", "normalization", "label_hint", "acquisition"):
        found, here = getattr(other.metadata, name), getattr(generator.metadata, name)
        if found != here:
            print(f"{path}: trained with {name.replace('_', ' ')} {found}, here it is {here}", flush=True)
    return other.state_dict()


@torch.no_grad()
def centre_styles(generator: Generator, images: torch.Tensor) -> None:
    """Shift the untrained style encoder so that `images` map to the origin, before normalisation.

    Pooled features of random convolutions are nearly the same for all images; that common part would make all style
    vectors parallel and their contrast, at a temperature of 0.01, slow to learn.
    """
    encoder = generator.style_encoder
    pooled = encoder.layers(images).mean(dim=(0, 2, 3, 4), keepdim=True)
    encoder.to_style.bias.copy_(-(encoder.to_style.weight.flatten(1) @ pooled.flatten()))


def _optimizers(networks: Networks, config: PretrainingConfig) -> tuple[torch.optim.Adam, torch.optim.Adam]:
    """One for the discriminator, after one for all others, in which E_S and networks of single terms have own rates.

    A group's "initial_lr" is the rate that the schedule scales.
    """
    style = _parameters(networks.generator.style_encoder)
    of_terms = _parameters(*networks.of_terms.values())
    discriminator = _parameters(networks.discriminator)
    elsewhere = {id(parameter) for parameter in style + of_terms + discriminator}
    synthesis = [p for p in _parameters(*networks.modules().values()) if id(p) not in elsewhere]
    groups = [
        _group(synthesis, config.learning_rate, config.betas),
        _group(style, config.style_learning_rate, config.style_betas),
        _group(of_terms, config.segmenter_learning_rate, config.betas),
    ]
    optimizer = torch.optim.Adam([group for group in groups if group["params"]])
    return optimizer, torch.optim.Adam([_group(discriminator, config.learning_rate, config.betas)])


def _parameters(*modules: torch.nn.Module | None) -> list[torch.nn.Parameter]:
    return [parameter for module in modules if module is not None for parameter in module.parameters()]


def _group(parameters: list[torch.nn.Parameter], rate: float, betas: tuple[float, float]) -> dict:
    return {"params": parameters, "lr": rate, "initial_lr": rate, "betas": betas}


def _xavier(module: torch.nn.Module) -> None:
    """The released code's initial weights."""
    if isinstance(module, torch.nn.Conv3d | torch.nn.Linear):
        torch.nn.init.xavier_normal_(module.weight, XAVIER_GAIN)
        torch.nn.init.zeros_(module.bias)


def _spread(module: torch.nn.Module) -> None:
    """Normal weights of deviation 0.02, as CUT has them, but for what would make all styles or all images alike."""
    if isinstance(module, DynamicInstanceNorm):
        # Around the plain norm, with styles that differ: from 0.02, gamma would take hundreds of steps to grow.
        torch.nn.init.normal_(module.controller.weight, 0.0, STYLE_DEVIATION)
        torch.nn.init.ones_(module.controller.bias.chunk(2)[0])
    elif isinstance(module, Decoder):
        # All voxels of a block begin alike, or the first images are checkerboards.
        weight = module.to_image.weight
        weight.data.copy_(weight[:1].expand_as(weight))
    elif isinstance(module, torch.nn.Conv3d | torch.nn.Linear):
        torch.nn.init.normal_(module.weight, 0.0, 0.02)
        torch.nn.init.zeros_(module.bias)
