"""The terms of the objective: L_CUT + lambda_style L_style + lambda_con L_con (paper section 2.3), and optional ones.

A weight of `Objective` is all that there is to say about a term: its default, its help, the function that computes it
and what it needs. Command line, schedules, checks and the table in the docs are made from it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import nn

from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.smoothing import CUT, gaussian_smooth
from intrastyler_nnunet.objective.adversarial import generator_loss
from intrastyler_nnunet.objective.anatomy import (
    ContentHead,
    OutputSegmenter,
    edge_consistency,
    fluid_brightness,
    segmentation_loss,
)
from intrastyler_nnunet.objective.forward_pass import ForwardPass
from intrastyler_nnunet.objective.options import NOT_NEGATIVE, POSITIVE, PROBABILITY, option
from intrastyler_nnunet.objective.patch_nce import gather_places, patch_nce
from intrastyler_nnunet.objective.style import style_consistency, style_contrast
from intrastyler_nnunet.translation.acquisition import measured
from intrastyler_nnunet.translation.label_hint import is_one_of
from intrastyler_nnunet.translation.rescanning import blurred

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


def term(weight: float, help: str, compute: Callable, **needs: Any) -> Any:
    """The entry of a term: a field for its weight."""
    return option(weight, help, range=NOT_NEGATIVE, metadata={"term": Term(compute, **needs)})


def _style(forward: ForwardPass) -> torch.Tensor:
    query, positive, negatives, _ = forward.style_vectors
    return style_contrast(query, positive, negatives, forward.config.style_temperature)


def _nce(forward: ForwardPass) -> torch.Tensor:
    """PatchNCE over translation and identity, averaged because both are in the batch."""
    networks, config = forward.networks, forward.config
    features = forward.translation.features
    labelled = torch.cat([forward.translation.images, forward.given[:, 1:]], dim=1)
    output_features = networks.generator.content_features(labelled, config.nce_layers)
    queries = networks.projector(gather_places(output_features, forward.places))
    with torch.no_grad():
        keys = networks.projector(gather_places(features, forward.places))
    return patch_nce(queries, keys, config.nce_temperature)


def _adversarial(forward: ForwardPass) -> torch.Tensor:
    return generator_loss(forward.networks.discriminator(forward.shown, forward.known_style))


def _consistency(forward: ForwardPass) -> torch.Tensor:
    generator, size = forward.networks.generator, forward.batch.style_query.shape[2:]
    output = _crop(forward.acquired, forward.plan.output_start, size)
    config = forward.config
    is_judge = config.style_by_contrast and config.uses("style")
    output_style = generator.encode_style(output, fixed=is_judge)
    return style_consistency(output_style, forward.styles[0])


def _content(forward: ForwardPass) -> torch.Tensor:
    """The structures stay in the content."""
    labels = forward.batch.source_labels
    logits = forward.networks.of_terms["content_head"](forward.translation.content)
    return segmentation_loss(_crop(logits, (0, 0, 0), labels.shape[2:]), labels)  # without what was padded


def _content_head(generator: Generator, objective: "Objective") -> dict[str, nn.Module]:
    return {"content_head": ContentHead(generator.config, objective.classes)}


def _segmentation(forward: ForwardPass) -> torch.Tensor:
    """The structures stay visible in the output."""
    logits = forward.networks.of_terms["segmenter"](forward.shown)
    return segmentation_loss(logits, forward.batch.source_labels)


def _segmenter(generator: Generator, objective: "Objective") -> dict[str, nn.Module]:
    return {"segmenter": OutputSegmenter(objective.classes)}


def _edge(forward: ForwardPass) -> torch.Tensor:
    batch = forward.batch
    return edge_consistency(
        batch.source, forward.translation.translated, batch.source_labels, forward.config.fluid_labels
    )


def _fluid(forward: ForwardPass) -> torch.Tensor:
    batch, labels = forward.batch, forward.batch.source_labels
    fluid = is_one_of(labels, forward.config.fluid_labels)
    return fluid_brightness(forward.translation.translated, batch.target, fluid, labels == 0)


def _restyling(forward: ForwardPass) -> torch.Tensor:
    restyled, wanted = forward.translation.images[len(forward.batch.source) :].float(), forward.restyling.wanted
    if forward.config.acquisition:  # the generator makes sharp images, whatever it is shown
        restyled = blurred(restyled, measured(wanted))
    difference = restyled - wanted
    if forward.config.restyling_smoothing:
        sigma = forward.config.restyling_smoothing
        widths = torch.full((len(difference), 3), sigma, device=difference.device)
        difference = gaussian_smooth(difference, widths, (math.ceil(CUT * sigma),) * 3)
    return difference.abs().mean()


def _crop(images: torch.Tensor, start: tuple[int, int, int], size: torch.Size) -> torch.Tensor:
    x, y, z = (slice(s, s + n) for s, n in zip(start, size, strict=True))
    return images[:, :, x, y, z]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The weights of the terms, in the order in which these are computed, and what the terms need besides."""

    lambda_style: float = term(  # paper section 2.5.2
        5.0,
        "weight of the style contrast; 0 leaves the style encoder to the other losses, for comparisons. Where the "
        "contrast alone trains it, any other weight does the same, because Adam divides it out",
        _style, style_encoder=True,
    )  # fmt: skip
    lambda_nce: float = term(1.0, "weight of PatchNCE; raise it when anatomy changes", _nce)
    lambda_adversarial: float = term(
        1.0,
        "weight of the discriminator's verdict, against which all others are measured; lower it in the beginning when "
        "translations show structures that the source has not",
        _adversarial,
    )  # fmt: skip
    lambda_consistency: float = term(  # paper section 2.5.2
        5.0,
        "weight of style consistency; lower it when translations get stripes or blobs that no exemplar has",
        _consistency, style_encoder=True,
    )  # fmt: skip
    lambda_content: float = term(
        0.0,
        "weight of a head that must find the source labels in the content features; try 0.5 when structures get lost",
        _content, networks=_content_head, whole_labels=True,
    )  # fmt: skip
    lambda_segmentation: float = term(
        0.0,
        "weight of a small U-Net that must find the source labels in the translation; try 0.5 when structures come "
        "out so that nobody can see them",
        _segmentation, networks=_segmenter, whole_labels=True,
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

    nce_layers: tuple[int, ...] = (0, 4, 8, 12, 16)
    attention_layers: tuple[int, ...] = ()  # those of them whose places are chosen by attention (QS-Attn)
    nce_places: int = 256
    nce_temperature: float = 0.07
    negatives: int = 8  # N of equation 1
    style_temperature: float = 0.01  # tau of equation 1
    perturbations: str = option(
        "kinds", "of negatives; kinds: one per step | released: each by a coin", choices=("kinds", "released")
    )
    shared_perturbation: float = option(  # whose patches then are recognised by its strength: a negative may be cleaner
        0.0, "share of steps in which query and positive are perturbed alike", range=PROBABILITY
    )
    hard_negatives: float = option(
        0.0,
        "share of steps in which query and positive get the same blur and noise, and each negative 1.3 to 2 times as "
        "much or as little of one of the two; try 0.3 when translations ignore how noisy or sharp their exemplar is",
        range=PROBABILITY,
    )  # fmt: skip
    restyling_without_shortcuts: bool = option(
        False,
        "half of the restylings want the exemplar itself, and their input has blur and noise of its own, whatever is "
        "wanted; try it when sharpness does not follow the exemplar",
    )
    restyling_smoothing: float = option(
        0.0, "voxels, deviation of the Gaussian through which restylings are compared; 1 leaves noise out",
        range=NOT_NEGATIVE,
    )  # fmt: skip
    conditional_discriminator: bool = option(
        False,
        "the discriminator is told the exemplar's style, and real images with another style are false; try it when "
        "translations look like some exemplar, but not like theirs",
    )
    style_by_contrast: bool = True  # the style encoder learns from the style contrast alone; False: from all terms
    fluid_labels: tuple[int, ...] = ()  # source labels
    classes: int = 2  # of the source labels, background included; for the segmentation term
    acquisition: bool = option(
        False,
        "translations are blurred and given noise as their exemplar has it before anybody judges them, so that the "
        "generator makes neither, and translation does the same; instead of instance noise",
    )
    instance_noise: float = option(
        0.0,
        "deviation of noise shown to the discriminator and the segmenter, falling to 0; try 0.1 when the "
        "discriminator's loss falls below 0.1 and stays there",
        range=NOT_NEGATIVE,
    )  # fmt: skip
    noise_until: float = option(1.0, "progress at which it is gone", range=POSITIVE)


TERMS: dict[str, Term] = {
    f.name.removeprefix(WEIGHT): f.metadata["term"] for f in fields(Objective) if "term" in f.metadata
}
