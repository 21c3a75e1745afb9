"""One training step: the losses of generator, discriminator and style encoder, and what is drawn for it."""

import numpy as np
import torch

from intrastyler_nnunet.model.discriminator import Discriminator
from intrastyler_nnunet.objective.adversarial import discriminator_loss
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.forward_pass import (
    ForwardPass,
    Judged,
    Networks,
    StepPlan,
    TrainingPatches,
    with_noise,
)
from intrastyler_nnunet.objective.perturbations import (
    sample_hard_negatives,
    sample_perturbation,
    sample_released,
    sample_strengths,
)
from intrastyler_nnunet.objective.restyling import sample_curves, sample_without_shortcuts
from intrastyler_nnunet.objective.terms import TERMS


def generator_step(
    networks: Networks, batch: TrainingPatches, plan: StepPlan, config: PretrainingConfig
) -> tuple[torch.Tensor, dict[str, torch.Tensor], Judged]:
    """The generator's, projector's and style encoder's loss for one batch.

    Returns:
        The loss (), its terms (detached, by name), and what the discriminator's step needs.
    """
    forward = ForwardPass(networks, batch, plan, config)
    asked = [name for name in TERMS if config.uses(name) and (plan.weights[name] > 0 or not TERMS[name].pauses)]
    terms = {name: TERMS[name].compute(forward) for name in asked}
    loss = torch.stack([plan.weights[name] * value for name, value in terms.items()]).sum()
    return loss, {name: value.detach() for name, value in terms.items()}, forward.judged


def discriminator_step(
    discriminator: Discriminator, batch: TrainingPatches, judged: Judged, plan: StepPlan
) -> torch.Tensor:
    """The discriminator's loss () for the translations of this step and the batch's real target patches.

    If it knows styles, real patches with another style than theirs are as false as translations are.
    """
    images, styles = [batch.target, judged.images], None
    if judged.style is not None and judged.other_style is not None:
        images.append(batch.target)
        styles = torch.cat([judged.style, judged.style, judged.other_style])
    scores = discriminator(with_noise(torch.cat(images), plan.instance_noise), styles)
    real, *false = scores.split(len(batch.target))
    return discriminator_loss(real, torch.cat(false))


def style_step(networks: Networks, batch: TrainingPatches, plan: StepPlan, config: PretrainingConfig) -> torch.Tensor:
    """The style contrast () alone, for the style encoder's warm-up."""
    return TERMS["style"].compute(ForwardPass(networks, batch, plan, config))


def sample_plan(
    rng: np.random.Generator, config: PretrainingConfig, axes: tuple[int, int, int], iteration: int
) -> StepPlan:
    """Draw the perturbations and the place in the output; `axes`: of the generator, in nnU-Net's order."""
    count = config.batch_size
    sample = sample_released if config.perturbations == "released" else sample_perturbation
    perturbation, shared = sample(rng, count * config.negatives), None
    if rng.random() < config.shared_perturbation:
        shared = sample(rng, count)
        perturbation = shared.scaled(sample_strengths(rng, count, config.negatives))
    if config.hard_negatives and rng.random() < config.hard_negatives:
        shared, perturbation = sample_hard_negatives(rng, count, config.negatives)
    x, y, z = (int(rng.integers(0, config.patch_size[a] - config.style_patch_size[a] + 1)) for a in axes)
    # Falling to none, so that the exemplar's own noise can be learned too.
    left = 0.0 if config.acquisition else max(0.0, 1 - config.progress(iteration) / config.noise_until)
    noise = config.instance_noise * left
    curves = sample_curves(rng, config.batch_size)
    # Last, so that the random numbers of a training without it are what they were.
    without_shortcuts = sample_without_shortcuts(rng, count) if config.restyling_without_shortcuts else None
    return StepPlan(perturbation, shared, curves, (x, y, z), noise, config.weights(iteration), without_shortcuts)
