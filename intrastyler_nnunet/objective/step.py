"""One training step: the losses of generator, discriminator and style encoder, and what is drawn for it."""

import numpy as np
import torch

from intrastyler_nnunet.model.discriminator import Discriminator
from intrastyler_nnunet.objective.adversarial import discriminator_loss
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.forward_pass import ForwardPass, Networks, StepPlan, TrainingPatches, with_noise
from intrastyler_nnunet.objective.perturbations import sample_perturbation, sample_released, sample_strengths
from intrastyler_nnunet.objective.restyling import sample_curves
from intrastyler_nnunet.objective.terms import TERMS


def generator_step(
    networks: Networks, batch: TrainingPatches, plan: StepPlan, config: PretrainingConfig
) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
    """The generator's, projector's and style encoder's loss for one batch.

    Returns:
        The loss (), its terms (detached, by name), and the translated images (B, 1, X, Y, Z) as they are acquired,
        detached, for the discriminator's step.
    """
    forward = ForwardPass(networks, batch, plan, config)
    asked = [name for name in TERMS if config.uses(name) and (plan.weights[name] > 0 or not TERMS[name].pauses)]
    terms = {name: TERMS[name].compute(forward) for name in asked}
    loss = torch.stack([plan.weights[name] * value for name, value in terms.items()]).sum()
    return loss, {name: value.detach() for name, value in terms.items()}, forward.acquired.detach()


def discriminator_step(
    discriminator: Discriminator, batch: TrainingPatches, translated: torch.Tensor, plan: StepPlan
) -> torch.Tensor:
    """The discriminator's loss () for the translations of this step and the batch's real target patches."""
    images = torch.cat([batch.target, translated])
    real, fake = discriminator(with_noise(images, plan.instance_noise)).chunk(2)
    return discriminator_loss(real, fake)


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
    x, y, z = (int(rng.integers(0, config.patch_size[a] - config.style_patch_size[a] + 1)) for a in axes)
    # Gone before the end, so that the exemplar's own noise can be learned too.
    left = 0.0 if config.acquisition else max(0.0, 1 - config.progress(iteration) / config.noise_until)
    noise = config.instance_noise * left
    curves = sample_curves(rng, config.batch_size)
    return StepPlan(perturbation, shared, curves, (x, y, z), noise, config.weights(iteration))
