"""The terms of the objective: L_CUT + lambda_style L_style + lambda_con L_con (paper section 2.3), and optional ones.

A weight of `Objective` is all that there is to say about a term: its default, its help, the function that computes it
and what it needs. Command line, schedules, checks and the table in the docs are made from it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.objective.adversarial import generator_loss
from intrastyler_nnunet.objective.anatomy import (
    ContentHead,
    LightSegmenter,
    edge_consistency,
    fluid_brightness,
    segmentation_loss,
)
from intrastyler_nnunet.objective.forward_pass import ForwardPass, Networks
from intrastyler_nnunet.objective.options import NOT_NEGATIVE, option
from intrastyler_nnunet.objective.patch_nce import gather_places, patch_nce, sample_places, select_by_attention
from intrastyler_nnunet.objective.style import style_consistency, style_contrast
from intrastyler_nnunet.translation.label_hint import is_one_of

WEIGHT = "lambda_"  # begins the name of a term's weight


@dataclass(frozen=True)
class Term:
    """How a term is computed, and what it needs.

    Attributes:
        compute: the term ().
        pauses: is not computed in steps in which its weight is 0, which may then be taken differently.
        style_encoder: needs a style encoder; methods without have no such term.
        networks: of its own, by the name under which a checkpoint holds them; they learn at their own rate.
        filled: fields of the configuration that must not be empty, and what they hold.
        whole_labels: needs a label at every voxel of the source.
    """

    compute: Callable[[ForwardPass], torch.Tensor]
    pauses: bool = False
    style_encoder: bool = False
    networks: Callable[[Generator, "Objective"], dict[str, nn.Module]] | None = None
    filled: dict[str, str] = field(default_factory=dict)
    whole_labels: bool = False


def term(weight: float, help: str, compute: Callable, *, optional: bool = True, **needs: Any) -> Any:
    """The entry of a term: a field for its weight, which is an option of the command line if the term is optional."""
    return option(
        weight, help, group="objective" if optional else None, range=NOT_NEGATIVE,
        metadata={"term": Term(compute, **needs)},
    )  # fmt: skip


def _style(forward: ForwardPass) -> torch.Tensor:
    return style_contrast(*forward.style_vectors, forward.config.style_temperature)


def _nce(forward: ForwardPass) -> torch.Tensor:
    """PatchNCE over translation and identity, averaged because both are in the batch."""
    networks, config = forward.networks, forward.config
    images, features, _ = forward.translation
    output_features = networks.generator.content_features(images, config.nce_layers)
    if config.nce_sampling == "qs_attn":
        selection = select_by_attention(features, config.nce_places, tuple(layer > 4 for layer in config.nce_layers))
    else:
        selection = sample_places(features, config.nce_places)
    queries = networks.projector(gather_places(output_features, selection))
    with torch.no_grad():
        keys = networks.projector(gather_places(features, selection))
    return patch_nce(queries, keys, config.nce_temperature)


def _adversarial(forward: ForwardPass) -> torch.Tensor:
    return generator_loss(forward.networks.discriminator(forward.shown))


def _consistency(forward: ForwardPass) -> torch.Tensor:
    generator, size = forward.networks.generator, forward.batch.style_query.shape[2:]
    output = _crop(forward.translation.translated, forward.plan.output_start, size)
    learns_elsewhere = forward.config.uses("style")
    output_style = _judge_style(generator, output) if learns_elsewhere else generator.encode_style(output)
    return style_consistency(output_style, forward.styles[0])


def _judge_style(generator: Generator, images: torch.Tensor) -> torch.Tensor:
    """E_S as a fixed judge: gradients reach the images, not its weights."""
    encoder = generator.style_encoder
    assert encoder is not None  # the term needs one
    return functional_call(encoder, {name: weight.detach() for name, weight in encoder.named_parameters()}, (images,))


def _segmentation(forward: ForwardPass) -> torch.Tensor:
    """Both segmenters against the source label: the structures stay in the content, and visible in the output."""
    loss, batch, networks = segmentation_loss(), forward.batch, forward.networks
    content = forward.translation.features[-1][: len(batch.source)]
    from_content = _content_logits(networks, batch.source, content)
    from_output = networks.of_terms["segmenter"](forward.shown)
    return loss(from_content, batch.source_labels) + loss(from_output, batch.source_labels)


def _content_logits(networks: Networks, image: torch.Tensor, content: torch.Tensor) -> torch.Tensor:
    """The content head's logits (B, classes, X, Y, Z); the features are those of the padded image."""
    padded = networks.generator.pad_to_stride(image).shape[2:]
    return _crop(networks.of_terms["content_head"](content, padded), (0, 0, 0), image.shape[2:])


def _segmenters(generator: Generator, objective: "Objective") -> dict[str, nn.Module]:
    return {
        "content_head": ContentHead(generator.content_encoder.out_channels, objective.classes),
        "segmenter": LightSegmenter(objective.classes),
    }


def _edge(forward: ForwardPass) -> torch.Tensor:
    return edge_consistency(forward.batch.source, forward.translation.translated)


def _fluid(forward: ForwardPass) -> torch.Tensor:
    batch, labels = forward.batch, forward.batch.source_labels
    fluid = is_one_of(labels, forward.config.fluid_labels)
    return fluid_brightness(forward.translation.translated, batch.target, fluid, labels == 0)


def _restyling(forward: ForwardPass) -> torch.Tensor:
    restyled = forward.translation.images[len(forward.batch.source) :]
    return (restyled.float() - forward.restyling.wanted).abs().mean()


def _crop(images: torch.Tensor, start: tuple[int, int, int], size: torch.Size) -> torch.Tensor:
    x, y, z = (slice(s, s + n) for s, n in zip(start, size, strict=True))
    return images[:, :, x, y, z]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The weights of the terms, in the order in which these are computed, and what the terms need besides."""

    lambda_style: float = term(  # paper section 2.5.2
        5.0,
        "weight of the style contrast; 0 leaves the style encoder to the other losses, for comparisons",
        _style, style_encoder=True,
    )  # fmt: skip
    lambda_nce: float = term(1.0, "weight of PatchNCE; raise it when anatomy changes", _nce)
    lambda_adversarial: float = term(
        1.0,
        "weight of the discriminator's verdict, against which all others are measured; lower it by a schedule when "
        "translations show structures that the source has not",
        _adversarial, optional=False,
    )  # fmt: skip
    lambda_consistency: float = term(  # paper section 2.5.2
        5.0,
        "weight of style consistency; lower it when translations get stripes or blobs that no exemplar has",
        _consistency, style_encoder=True,
    )  # fmt: skip
    lambda_segmentation: float = term(  # the released code has 0.5
        0.0,
        "weight of two light segmenters that must find the source labels; try 0.2 when structures get lost",
        _segmentation, networks=_segmenters, whole_labels=True,
    )  # fmt: skip
    lambda_edge: float = term(  # the released code has 1
        0.0, "weight of Sobel-edge consistency; try 1 when outlines move", _edge
    )
    lambda_fluid: float = term(
        0.0,
        "weight of keeping the structure called cochlea about as bright as cochleae are in T2, and the bone beside it "
        "dark; try 5 when cochleae come out dark, dazzling or smeared",
        _fluid, filled={"fluid_labels": "labels of fluid"},
    )  # fmt: skip
    lambda_restyling: float = term(
        0.0,
        "weight of giving an exemplar in a random contrast another style; try 10 when training must be short or a "
        "tissue keeps its source contrast",
        _restyling, pauses=True,
    )  # fmt: skip

    nce_sampling: str = option(
        "random",
        "places PatchNCE compares; qs_attn favours distinctive ones, try it when small structures get lost",
        group="objective", choices=("random", "qs_attn"),
    )  # fmt: skip
    nce_layers: tuple[int, ...] = (0, 4, 8, 12, 16)
    nce_places: int = 256
    nce_temperature: float = 0.07
    negatives: int = 8  # N of equation 1
    style_temperature: float = 0.01  # tau of equation 1
    fluid_labels: tuple[int, ...] = ()  # source labels
    classes: int = 2  # of the source labels, background included; for the segmentation term
    instance_noise: float = option(
        0.0,
        "deviation of noise shown to the discriminator and the light segmenter, falling to 0 at the end; try 0.1 when "
        "the discriminator's loss falls below 0.1 and stays there",
        group="objective", range=NOT_NEGATIVE,
    )  # fmt: skip


TERMS: dict[str, Term] = {
    f.name.removeprefix(WEIGHT): f.metadata["term"] for f in fields(Objective) if "term" in f.metadata
}
