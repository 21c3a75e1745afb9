"""The state a training begins with."""

from dataclasses import replace

import torch

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.model.config import preset
from intrastyler_nnunet.model.decoder import Decoder
from intrastyler_nnunet.model.discriminator import Discriminator
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.networks.anatomy import ContentHead, LightSegmenter
from intrastyler_nnunet.networks.normalisation import DynamicInstanceNorm
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.patch_nce import PatchProjector
from intrastyler_nnunet.objective.step import Networks
from intrastyler_nnunet.pretraining.state import TrainingState

STYLE_DEVIATION = 0.2  # of DIN's gamma and beta over random unit style vectors, before training


def initial_state(config: PretrainingConfig, metadata: GeneratorMetadata, device: torch.device) -> TrainingState:
    """Untrained networks (normal weights of deviation 0.02, as CUT) and their optimizers; the same on every rank.

    The generator begins with `config.pretrained_weights`, if there are any.

    Raises:
        InputError: these are no generator of the same architecture and method, or a target case had another code.
    """
    torch.manual_seed(config.seed)
    generator_config, discriminator_config = preset(config.preset)
    if metadata.codes:
        length = len(next(iter(metadata.codes.values())))
        generator_config = replace(generator_config, style_dim=length, style_width=0)
    with device:
        networks = Networks(
            Generator(generator_config, metadata),
            PatchProjector(generator_config, config.nce_layers),
            Discriminator(discriminator_config),
        )
        if config.uses("segmentation"):
            networks.content_head = ContentHead(networks.generator.content_encoder.out_channels, config.classes)
            networks.segmenter = LightSegmenter(config.classes)
        average = Generator(generator_config, metadata).requires_grad_(False)
    for module in networks.modules().values():
        module.apply(_initialise)
    if config.pretrained_weights is not None:
        networks.generator.load_state_dict(_pretrained(config.pretrained_weights, networks.generator))
    average.load_state_dict(networks.generator.state_dict())
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
    for name in ("spacing", "normalization", "label_hint"):
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
    """Of everything but the discriminator, style encoder and segmenters with their own rates; and of the discriminator.

    A group's "initial_lr" is the rate that the schedule scales.
    """
    style = _parameters(networks.generator.style_encoder)
    segmenters = _parameters(networks.content_head, networks.segmenter)
    discriminator = _parameters(networks.discriminator)
    elsewhere = {id(parameter) for parameter in style + segmenters + discriminator}
    synthesis = [p for p in _parameters(*networks.modules().values()) if id(p) not in elsewhere]
    groups = [
        _group(synthesis, config.learning_rate, config.betas),
        _group(style, config.style_learning_rate, config.style_betas),
        _group(segmenters, config.segmenter_learning_rate, config.betas),
    ]
    optimizer = torch.optim.Adam([group for group in groups if group["params"]])
    return optimizer, torch.optim.Adam([_group(discriminator, config.learning_rate, config.betas)])


def _parameters(*modules: torch.nn.Module | None) -> list[torch.nn.Parameter]:
    return [parameter for module in modules if module is not None for parameter in module.parameters()]


def _group(parameters: list[torch.nn.Parameter], rate: float, betas: tuple[float, float]) -> dict:
    return {"params": parameters, "lr": rate, "initial_lr": rate, "betas": betas}


def _initialise(module: torch.nn.Module) -> None:
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
