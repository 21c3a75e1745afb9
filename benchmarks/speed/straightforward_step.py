"""The same training step in the straightforward order of work: each network is called once per use.

So the released code does it: every style patch and every negative alone through the style encoder, source and exemplar
apart through the generator, all four images again through its encoder for PatchNCE, whose keys get a gradient that is
thrown away, and every image alone before the discriminator. Terms, weights and networks are ours.
"""

import torch

from intrastyler_nnunet.objective.adversarial import discriminator_loss, generator_loss
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.forward_pass import Networks
from intrastyler_nnunet.objective.patch_nce import gather_places, patch_nce, sample_places
from intrastyler_nnunet.objective.perturbations import perturb
from intrastyler_nnunet.objective.style import style_consistency, style_contrast
from intrastyler_nnunet.pretraining.prefetch import Part
from intrastyler_nnunet.pretraining.state import TrainingState
from intrastyler_nnunet.pretraining.updates import update_average


def straightforward_step(state: TrainingState, part: Part, config: PretrainingConfig) -> None:
    """One update of all networks by style contrast, PatchNCE, discriminator and style consistency."""
    networks, (_, batch, plan) = state.networks, part
    encode, weights = networks.generator.encode_style, plan.weights
    query, positive = encode(batch.style_query), encode(batch.style_positive)
    copies = perturb(batch.style_positive.repeat_interleave(config.negatives, dim=0), plan.perturbation)
    negatives = torch.stack([encode(copy[None])[0] for copy in copies])[None]
    translated = networks.generator(batch.source, query.detach())
    identity = networks.generator(batch.target, query.detach())
    networks.discriminator.requires_grad_(False)
    x, y, z = (slice(at, at + n) for at, n in zip(plan.output_start, batch.style_query.shape[2:], strict=True))
    pairs = ((translated, batch.source), (identity, batch.target))
    loss = (
        weights["style"] * style_contrast(query, positive, negatives, config.style_temperature)
        + weights["nce"] * sum(_nce(networks, config, *pair) for pair in pairs) / 2
        + weights["adversarial"] * generator_loss(networks.discriminator(translated))
        + weights["consistency"] * style_consistency(encode(translated[:, :, x, y, z], fixed=True), query.detach())
    )
    state.generator_optimizer.zero_grad()
    loss.backward()
    state.generator_optimizer.step()
    networks.discriminator.requires_grad_(True)
    real, fake = networks.discriminator(batch.target), networks.discriminator(translated.detach())
    state.discriminator_optimizer.zero_grad()
    discriminator_loss(real, fake).backward()
    state.discriminator_optimizer.step()
    update_average(state, config.ema_decay)


def _nce(networks: Networks, config: PretrainingConfig, output: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """PatchNCE of one image."""
    of_output, of_given = (networks.generator.content_features(image, config.nce_layers) for image in (output, given))
    places = sample_places(of_given, config.nce_places)
    queries, keys = (networks.projector(gather_places(found, places)) for found in (of_output, of_given))
    return patch_nce(queries, keys, config.nce_temperature)
