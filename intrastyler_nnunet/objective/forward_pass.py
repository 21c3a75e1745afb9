"""What the terms of the objective see of one training step: its inputs, and what several need, computed once."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from intrastyler_nnunet.model.discriminator import Discriminator
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.model.recomputation import RecomputedInParts
from intrastyler_nnunet.objective.patch_nce import PatchProjector, attention_rows, sample_places
from intrastyler_nnunet.objective.perturbations import Perturbation, perturb
from intrastyler_nnunet.objective.restyling import RandomCurves, Restyling, WithoutShortcuts, restyle
from intrastyler_nnunet.translation.acquisition import measured
from intrastyler_nnunet.translation.label_hint import apply_label_hint
from intrastyler_nnunet.translation.rescanning import blurred, noisy, sample_noise

if TYPE_CHECKING:
    from intrastyler_nnunet.objective.config import PretrainingConfig  # which is made of the terms


@dataclass(frozen=True)
class TrainingPatches:
    """One sample in generator space and generator axis order, each (1, 1, X, Y, Z)."""

    source: torch.Tensor
    source_window: torch.Tensor  # (1, 2) of its case
    source_labels: torch.Tensor
    target: torch.Tensor
    style_query: torch.Tensor  # two random places of the target patch's own volume
    style_positive: torch.Tensor
    style_code: torch.Tensor  # (1, K) of the target case, where styles are codes; else (1, 0)

    def to(self, device: torch.device) -> "TrainingPatches":
        """Copy all tensors to `device`."""
        return TrainingPatches(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})

    def pin_memory(self) -> "TrainingPatches":
        """Copy all tensors to page-locked memory, from where a copy to the device need not be waited for."""
        return TrainingPatches(**{name: value.pin_memory() for name, value in vars(self).items()})


@dataclass
class Networks:
    """What is trained together."""

    generator: Generator
    projector: PatchProjector
    discriminator: Discriminator
    of_terms: dict[str, nn.Module] = field(default_factory=dict)  # those that single terms need, by name

    def modules(self) -> dict[str, nn.Module]:
        """All networks, by the name under which a checkpoint holds them."""
        own = {"generator": self.generator, "projector": self.projector, "discriminator": self.discriminator}
        return own | self.of_terms

    def checkpoint(self, wanted: bool) -> None:
        """Whether the networks keep the activations of whole parts for the gradient, or compute them anew."""
        for module in (m for network in self.modules().values() for m in network.modules()):
            if isinstance(module, RecomputedInParts):
                module.checkpointing = wanted

    def compile(self, backend: str = "inductor") -> None:
        """Let `torch.compile` run the networks; their parameters and names stay as they are."""
        generator = self.generator
        parts = (generator.content_encoder, generator.decoder, generator.style_encoder)
        for module in (*parts, self.discriminator, *self.of_terms.values()):
            if module is not None:
                module.compile(backend=backend)


@dataclass(frozen=True)
class StepPlan:
    """What differs from step to step and is decided on the CPU, so that a test can fix it."""

    perturbation: Perturbation  # for batch_size * negatives images
    shared: Perturbation | None  # of batch_size exemplars, whose two style patches get it alike
    curves: RandomCurves  # exemplars go through one of them before they are restyled
    output_start: tuple[int, int, int]  # where the style encoder looks at the output (generator axes)
    instance_noise: float  # deviation of the noise of this step
    weights: dict[str, float]  # of the generator's loss terms in this step
    without_shortcuts: WithoutShortcuts | None = None  # of the restylings


class StyleVectors(NamedTuple):
    """What the style contrast compares: unit vectors of B exemplars."""

    query: torch.Tensor  # (B, K)
    positive: torch.Tensor  # (B, K)
    negatives: torch.Tensor  # (B, N, K)
    exemplar: torch.Tensor  # (B, K), of the query patch without what is shared: the style to translate to


class Translation(NamedTuple):
    """What the generator makes of the sources, and of the exemplars after them."""

    images: torch.Tensor  # (2 B, 1, X, Y, Z)
    features: list[torch.Tensor]  # of what it was given, per layer (2 B, C, X', Y', Z')
    content: torch.Tensor  # what the decoder got of the sources (B, C, X', Y', Z')
    translated: torch.Tensor  # (B, 1, X, Y, Z), the sources alone


class Judged(NamedTuple):
    """What the discriminator's step needs of the generator's, without gradients."""

    images: torch.Tensor  # (B, 1, X, Y, Z), translations as they were acquired
    style: torch.Tensor | None  # (B, K) of their exemplars; None: the discriminator does not know styles
    other_style: torch.Tensor | None  # (B, K) that the exemplars do not have


@dataclass(frozen=True, eq=False)
class ForwardPass:
    """One step's way through the networks.

    A part is computed when a term first reads it, and then kept. Random numbers are drawn then, so in the order of the
    terms.
    """

    networks: Networks
    batch: TrainingPatches
    plan: StepPlan
    config: "PretrainingConfig"

    @cached_property
    def style_vectors(self) -> StyleVectors:
        """The exemplars' style vectors in one pass of E_S, from which the style contrast reaches it."""
        batch, plan, count = self.batch, self.plan, len(self.batch.style_query)
        pair = [batch.style_query, batch.style_positive]
        copies = batch.style_positive.repeat_interleave(self.config.negatives, dim=0)
        shown = pair if plan.shared is None else [perturb(images, plan.shared) for images in pair]
        unshown = [] if plan.shared is None else [batch.style_query]
        patches = torch.cat([*shown, *unshown, perturb(copies, plan.perturbation)])
        vectors = self.networks.generator.encode_style(patches)
        query, positive, *others = vectors.split(count)
        exemplar = query if plan.shared is None else others.pop(0)
        return StyleVectors(query, positive, torch.cat(others).unflatten(0, (count, -1)), exemplar)

    @cached_property
    def styles(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The styles (B, K) of the exemplars and of their first negatives; one tensor where no negative is needed.

        Where E_S learns from the style contrast alone, because left to the generator's losses all its vectors may
        become alike, the vectors for the generator are constants. Otherwise all losses of the generator reach E_S.
        """
        batch, encode = self.batch, self.networks.generator.encode_style
        if self.config.method != "intrastyler":
            return batch.style_code, batch.style_code
        if self.config.uses("style"):
            style, other_style = self.style_vectors.exemplar, self.style_vectors.negatives[:, 0]
            return (style.detach(), other_style.detach()) if self.config.style_by_contrast else (style, other_style)
        if self.restyles:
            negatives = perturb(batch.style_positive, self.plan.perturbation.every(self.config.negatives))
            style, other_style = encode(torch.cat([batch.style_query, negatives])).chunk(2)
            return style, other_style
        style = encode(batch.style_query)
        return style, style

    @cached_property
    def source(self) -> torch.Tensor:
        """The sources (B, 1 + L, X, Y, Z) as the generator gets them, with their L label channels."""
        batch = self.batch
        return apply_label_hint(batch.source, batch.source_window, batch.source_labels, self.config.label_hint)

    @property
    def restyles(self) -> bool:
        """Whether this step restyles the exemplars; if not yet, or no longer, CUT's identity term gets them."""
        return self.plan.weights["restyling"] > 0

    @cached_property
    def restyling(self) -> Restyling:
        """What the generator gets beside the sources, and what it shall make of it: the exemplars, restyled or not."""
        exemplar, (style, other_style) = self.batch.target, self.styles
        if not self.restyles:
            return Restyling(exemplar, exemplar, style)
        change = self.plan.perturbation.every(self.config.negatives)
        return restyle(
            exemplar, self.source[:, :1], self.plan.curves, change, style, other_style, self.plan.without_shortcuts
        )

    @cached_property
    def given(self) -> torch.Tensor:
        """What the generator gets, (2 B, 1 + L, X, Y, Z): the sources, and exemplars of which no label is known."""
        return torch.cat([self.source, self.networks.generator.with_label_channels(self.restyling.given)])

    @cached_property
    def translation(self) -> Translation:
        """Sources and exemplars through the generator together: translation, and CUT's identity or restyling."""
        (style, _), restyling = self.styles, self.restyling
        generator, count = self.networks.generator, len(self.source)
        images, (*features, content) = generator.translate(
            self.given, torch.cat([style, restyling.style]),
            (*self.config.nce_layers, generator.content_encoder.last_layer),
        )  # fmt: skip
        return Translation(images, features, content[:count], images[:count])

    @cached_property
    def random_places(self) -> list[torch.Tensor]:
        """Places (2 B, P) in each of PatchNCE's layers, other ones for each image."""
        return sample_places(self.translation.features, self.config.nce_places)

    @cached_property
    def places(self) -> list[torch.Tensor]:
        """Where PatchNCE compares: random places, or rows of attention (2 B, P, V) in `attention_layers`."""
        return [
            attention_rows(feature, self.config.nce_places) if layer in self.config.attention_layers else places
            for layer, feature, places in zip(
                self.config.nce_layers, self.translation.features, self.random_places, strict=True
            )
        ]

    @cached_property
    def acquired(self) -> torch.Tensor:
        """The translated images (B, 1, X, Y, Z) with their exemplar's blur and noise, if the generator makes none."""
        images = self.translation.translated
        if not self.config.acquisition:
            return images
        rows = measured(self.batch.target)
        return noisy(blurred(images, rows), rows, sample_noise(images))

    @property
    def known_style(self) -> torch.Tensor | None:
        """The style (B, K) that the discriminator is told, if it is told one."""
        return self.styles[0].detach() if self.config.conditional_discriminator else None

    @property
    def judged(self) -> Judged:
        """What goes to the discriminator's own step."""
        style = self.known_style
        other_style = None if style is None else self.style_vectors.negatives[:, -1].detach()
        return Judged(self.acquired.detach(), style, other_style)

    @cached_property
    def shown(self) -> torch.Tensor:
        """The acquired images (B, 1, X, Y, Z) with instance noise, as networks that judge them see them."""
        return with_noise(self.acquired, self.plan.instance_noise)


def with_noise(images: torch.Tensor, deviation: float) -> torch.Tensor:
    """Instance noise: hides faint patterns by which translations could be told apart, or labels be passed on."""
    return images + deviation * torch.randn_like(images) if deviation else images
