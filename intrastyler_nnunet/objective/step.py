"""One training step: the objective L = L_CUT + lambda_style L_style + lambda_con L_con (paper section 2.3)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from intrastyler_nnunet.model.discriminator import Discriminator
from intrastyler_nnunet.model.generator import Generator
from intrastyler_nnunet.objective.adversarial import discriminator_loss, generator_loss
from intrastyler_nnunet.objective.anatomy import (
    ContentHead,
    LightSegmenter,
    edge_consistency,
    fluid_brightness,
    segmentation_loss,
)
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.patch_nce import (
    PatchProjector,
    gather_places,
    patch_nce,
    sample_places,
    select_by_attention,
)
from intrastyler_nnunet.objective.perturbations import Perturbation, perturb, sample_perturbation
from intrastyler_nnunet.objective.restyling import RandomCurves, apply_curves, most_alike, sample_curves
from intrastyler_nnunet.objective.style import style_consistency, style_contrast
from intrastyler_nnunet.translation.label_hint import apply_label_hint, is_one_of


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
        """The same on `device`."""
        return TrainingPatches(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})

    def pin_memory(self) -> "TrainingPatches":
        """The same in page-locked memory, from where a copy to the device need not be waited for."""
        return TrainingPatches(**{name: value.pin_memory() for name, value in vars(self).items()})


@dataclass
class Networks:
    """What is trained together."""

    generator: Generator
    projector: PatchProjector
    discriminator: Discriminator
    content_head: ContentHead | None = None  # these two only with the segmentation term
    segmenter: LightSegmenter | None = None

    def modules(self) -> dict[str, nn.Module]:
        """By the name under which a checkpoint holds them."""
        return {name: module for name, module in vars(self).items() if module is not None}

    def compile(self, backend: str = "inductor") -> None:
        """Let `torch.compile` run the networks; their parameters and names stay as they are."""
        generator = self.generator
        own = (generator.content_encoder, generator.decoder, generator.style_encoder)
        for module in (*own, self.discriminator, self.content_head, self.segmenter):
            if module is not None:
                module.compile(backend=backend)


@dataclass(frozen=True)
class StepPlan:
    """What differs from step to step and is decided on the CPU, so that a test can fix it."""

    perturbation: Perturbation  # for batch_size * negatives images
    curves: RandomCurves  # exemplars go through one of them before they are restyled
    output_start: tuple[int, int, int]  # where the style encoder looks at the output (generator axes)
    instance_noise: float  # deviation of the noise of this step
    weights: dict[str, float]  # of the generator's loss terms in this step


def generator_step(
    networks: Networks, batch: TrainingPatches, plan: StepPlan, config: PretrainingConfig
) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
    """The generator's, projector's and style encoder's loss for one batch.

    Returns:
        The loss (), its terms (detached, by name), and the translated images (B, 1, X, Y, Z), detached, for the
        discriminator's step.
    """
    generator, discriminator = networks.generator, networks.discriminator
    terms: dict[str, torch.Tensor] = {}
    restyling = plan.weights["restyling"] > 0  # not yet, or no longer: CUT's identity term needs the exemplar itself
    if config.method != "intrastyler":
        style = other_style = batch.style_code
    elif config.uses("style"):
        style, other_style, terms["style"] = _styles(generator, batch, plan.perturbation, config)
    elif restyling:
        style, other_style = _styles_without_contrast(generator, batch, plan.perturbation, config)
    else:
        style = other_style = generator.encode_style(batch.style_query)
    source = apply_label_hint(batch.source, batch.source_window, batch.source_labels, config.label_hint)

    exemplar, wanted, wanted_style = batch.target, batch.target, style
    if restyling:
        exemplar, wanted, wanted_style = _restyling(batch, source, plan, config, style, other_style)
    # Source and exemplar go through the generator together: translation, and CUT's identity term.
    count = len(source)
    images, features = generator.translate(
        torch.cat([source, exemplar]), torch.cat([style, wanted_style]), config.nce_layers
    )
    translated = images[:count]
    terms["nce"] = _patch_nce(networks, images, features, config)
    shown = with_noise(translated, plan.instance_noise)
    terms["adversarial"] = generator_loss(discriminator(shown))
    if config.uses("consistency"):
        output_patch = _crop(translated, plan.output_start, batch.style_query.shape[2:])
        judged = _judge_style(generator, output_patch) if config.uses("style") else generator.encode_style(output_patch)
        terms["consistency"] = style_consistency(judged, style)
    if config.uses("segmentation"):
        terms["segmentation"] = _segmentation(networks, batch, shown, features[-1][:count])
    if config.uses("edge"):
        terms["edge"] = edge_consistency(batch.source, translated)
    if config.uses("fluid"):
        fluid = is_one_of(batch.source_labels, config.fluid_labels)
        terms["fluid"] = fluid_brightness(translated, batch.target, fluid, batch.source_labels == 0)
    if restyling:
        terms["restyling"] = (images[count:].float() - wanted).abs().mean()
    loss = sum(plan.weights[name] * term for name, term in terms.items())
    return loss, {name: term.detach() for name, term in terms.items()}, translated.detach()


def discriminator_step(
    discriminator: Discriminator, batch: TrainingPatches, translated: torch.Tensor, plan: StepPlan
) -> torch.Tensor:
    """The discriminator's loss () for the translations of this step and the batch's real target patches."""
    images = torch.cat([batch.target, translated])
    real, fake = discriminator(with_noise(images, plan.instance_noise)).chunk(2)
    return discriminator_loss(real, fake)


def style_step(generator: Generator, batch: TrainingPatches, plan: StepPlan, config: PretrainingConfig) -> torch.Tensor:
    """The style contrast () alone, for the style encoder's warm-up."""
    return _styles(generator, batch, plan.perturbation, config)[-1]


def with_noise(images: torch.Tensor, deviation: float) -> torch.Tensor:
    """Instance noise: hides faint patterns by which translations could be told apart, or labels be passed on."""
    return images + deviation * torch.randn_like(images) if deviation else images


def _segmentation(
    networks: Networks, batch: TrainingPatches, translated: torch.Tensor, content: torch.Tensor
) -> torch.Tensor:
    """Both segmenters against the source label: the structures stay in the content, and visible in the output."""
    loss, labels = segmentation_loss(), batch.source_labels
    from_content = _content_logits(networks, batch.source, content)
    return loss(from_content, labels) + loss(networks.segmenter(translated), labels)


def _content_logits(networks: Networks, image: torch.Tensor, content: torch.Tensor) -> torch.Tensor:
    """The content head's logits (B, classes, X, Y, Z); the features are those of the padded image."""
    padded = networks.generator.pad_to_stride(image).shape[2:]
    return _crop(networks.content_head(content, padded), (0, 0, 0), image.shape[2:])


def _restyling(
    batch: TrainingPatches, source: torch.Tensor, plan: StepPlan, config: PretrainingConfig,
    style: torch.Tensor, other_style: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """What the generator gets, what it shall make of it, (B, 1, X, Y, Z), and in which style (B, K).

    It gets the exemplar in a random contrast, of several the one most alike to what the generator has as `source`.
    Where styles are learnt, it shall make the exemplar with the contrast and blur of its first negative. Noise cannot
    be foretold and a style vector has no places for a bias field: where a negative has those, the generator shall make
    the exemplar itself, from an input with that noise.
    """
    change = plan.perturbation.every(config.negatives)
    curves = most_alike(plan.curves, batch.target, source)
    given = perturb(apply_curves(batch.target, curves), change.only("noise"))
    if other_style is style:
        return given, batch.target, style
    restyled = torch.as_tensor((change.noise == 0) & (change.bias == 0).all(axis=1)).to(style.device)[:, None]
    change = change.only("log_gamma", "sigma")
    wanted = torch.where(restyled[..., None, None, None], perturb(batch.target, change), batch.target)
    return given, wanted, torch.where(restyled, other_style, style)


def _judge_style(generator: Generator, images: torch.Tensor) -> torch.Tensor:
    """E_S as a fixed judge: gradients reach the images, not its weights."""
    weights = {name: weight.detach() for name, weight in generator.style_encoder.named_parameters()}
    return functional_call(generator.style_encoder, weights, (images,))


def _styles(
    generator: Generator, batch: TrainingPatches, perturbation: Perturbation, config: PretrainingConfig
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Style vectors (B, K) of the exemplars and of their first negatives, and the style contrast; one pass of E_S.

    E_S learns from the style contrast alone: left to the generator's losses, all its vectors become alike. The vectors
    for the generator are therefore constants.
    """
    count = len(batch.style_query)
    copies = batch.style_positive.repeat_interleave(config.negatives, dim=0)
    patches = torch.cat([batch.style_query, batch.style_positive, perturb(copies, perturbation)])
    vectors = generator.encode_style(patches)
    query, positive = vectors[:count], vectors[count : 2 * count]
    negatives = vectors[2 * count :].unflatten(0, (count, -1))
    contrast = style_contrast(query, positive, negatives, config.style_temperature)
    return query.detach(), negatives[:, 0].detach(), contrast


def _styles_without_contrast(
    generator: Generator, batch: TrainingPatches, perturbation: Perturbation, config: PretrainingConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same two, from which all losses of the generator reach E_S."""
    negatives = perturb(batch.style_positive, perturbation.every(config.negatives))
    return generator.encode_style(torch.cat([batch.style_query, negatives])).chunk(2)


def _patch_nce(
    networks: Networks, images: torch.Tensor, features: list[torch.Tensor], config: PretrainingConfig
) -> torch.Tensor:
    """PatchNCE over translation and identity, averaged because both are in the batch."""
    output_features = networks.generator.content_features(images, config.nce_layers)
    if config.nce_sampling == "qs_attn":
        selection = select_by_attention(features, config.nce_places, tuple(layer > 4 for layer in config.nce_layers))
    else:
        selection = sample_places(features, config.nce_places)
    queries = networks.projector(gather_places(output_features, selection))
    with torch.no_grad():
        keys = networks.projector(gather_places(features, selection))
    return patch_nce(queries, keys, config.nce_temperature)


def _crop(images: torch.Tensor, start: tuple[int, int, int], size: torch.Size) -> torch.Tensor:
    x, y, z = (slice(s, s + n) for s, n in zip(start, size, strict=True))
    return images[:, :, x, y, z]


def sample_plan(
    rng: np.random.Generator, config: PretrainingConfig, axes: tuple[int, int, int], spacing: tuple[float, ...],
    iteration: int,
) -> StepPlan:  # fmt: skip
    """Draw the perturbations and the place in the output; `spacing` in mm and sizes in nnU-Net's axis order."""
    perturbation = sample_perturbation(rng, config.batch_size * config.negatives, tuple(spacing[a] for a in axes))
    room = [config.patch_size[axis] - config.style_patch_size[axis] for axis in axes]
    start = tuple(int(rng.integers(0, r + 1)) for r in room)
    # Gone at the end, so that the exemplar's own noise can be learned too.
    noise = config.instance_noise * (1 - config.progress(iteration))
    curves = sample_curves(rng, config.batch_size)
    return StepPlan(perturbation, curves, start, noise, config.weights(iteration))
