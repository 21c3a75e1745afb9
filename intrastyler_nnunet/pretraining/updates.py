"""From loss to weights: one update of every network, over the patches of all ranks."""

from collections.abc import Callable

import torch
from torch._subclasses.fake_tensor import FakeTensor

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.forward_pass import StepPlan, TrainingPatches
from intrastyler_nnunet.objective.step import discriminator_step, generator_step, style_step
from intrastyler_nnunet.pretraining.prefetch import Part
from intrastyler_nnunet.pretraining.ranks import Ranks, average_gradients
from intrastyler_nnunet.pretraining.state import TrainingState

ALLOWED_SKIPS = 20  # steps in a row that may be skipped because of a non-finite gradient
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

Terms = dict[str, torch.Tensor]


def warm_up_step(state: TrainingState, parts: list[Part], config: PretrainingConfig, ranks: Ranks) -> Terms:
    """One update of the style encoder alone."""

    def loss_of(index: int, batch: TrainingPatches, plan: StepPlan) -> tuple[torch.Tensor, Terms]:
        loss = style_step(state.networks, batch, plan, config)
        # Weighted as in the full loss: Adam's memory of the gradients' size must fit what follows.
        return plan.weights["style"] * loss, {"style": loss.detach()}

    terms, finite = _update(state, state.generator_optimizer, parts, loss_of, config, ranks)
    _count(state, finite)
    update_average(state, config.ema_decay)
    return terms


def training_step(state: TrainingState, parts: list[Part], config: PretrainingConfig, ranks: Ranks) -> Terms:
    """One update of generator, projector and style encoder, then one of the discriminator."""
    set_learning_rate(state, config)
    networks, judged = state.networks, {}

    def generator_loss(index: int, batch: TrainingPatches, plan: StepPlan) -> tuple[torch.Tensor, Terms]:
        loss, terms, judged[index] = generator_step(networks, batch, plan, config)
        return loss, terms

    def discriminator_loss(index: int, batch: TrainingPatches, plan: StepPlan) -> tuple[torch.Tensor, Terms]:
        loss = discriminator_step(networks.discriminator, batch, judged[index], plan)
        return loss, {"discriminator": loss.detach()}

    networks.discriminator.requires_grad_(False)
    terms, finite = _update(state, state.generator_optimizer, parts, generator_loss, config, ranks)
    networks.discriminator.requires_grad_(True)
    more_terms, also_finite = _update(
        state, state.discriminator_optimizer, parts, discriminator_loss, config, ranks, stream=1
    )
    _count(state, finite and also_finite)
    update_average(state, config.ema_decay)
    return terms | more_terms


def _update(
    state: TrainingState, optimizer: torch.optim.Optimizer, parts: list[Part],
    loss_of: Callable[[int, TrainingPatches, StepPlan], tuple[torch.Tensor, Terms]],
    config: PretrainingConfig, ranks: Ranks, stream: int = 0,
) -> tuple[Terms, bool]:  # fmt: skip
    """Average the gradients of `loss_of` over all parts and ranks, and step unless one is not finite.

    Returns:
        The terms' means over this rank's parts, and whether the step was taken.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    optimizer.zero_grad(set_to_none=True)
    collected = []
    for index, (seed, batch, plan) in enumerate(parts):
        torch.manual_seed(seed + stream)
        with torch.autocast(batch.source.device.type, DTYPES[config.precision], config.precision != "float32"):
            loss, terms = loss_of(index, batch, plan)
        state.scaler.scale(loss / len(parts)).backward()
        collected.append(terms)
    average_gradients(parameters, ranks)
    state.scaler.unscale_(optimizer)
    # Gradients are averaged before, so that all ranks decide alike.
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    finite = isinstance(norm, FakeTensor) or bool(torch.isfinite(norm))  # whose content nobody knows
    if finite:
        optimizer.step()
    state.scaler.update()  # with float16: a smaller factor after an overflow
    return {name: torch.stack([terms[name] for terms in collected]).mean() for name in collected[0]}, finite


def _count(state: TrainingState, finite: bool) -> None:
    """Count a skipped step. Raises InputError when more than `ALLOWED_SKIPS` in a row were skipped."""
    state.skipped += not finite
    state.skipped_in_a_row = 0 if finite else state.skipped_in_a_row + 1
    if state.skipped_in_a_row > ALLOWED_SKIPS:
        raise InputError(
            f"iteration {state.iteration}: non-finite gradients in {state.skipped_in_a_row} steps in a row; the last "
            "checkpoint is intact: go on from it with --precision float32, or begin anew with another seed"
        )


def learning_rate_factor(progress: float, constant_until: float) -> float:
    """1 until the progress `constant_until`, then linearly to 0 at the end."""
    return min(1.0, (1 - progress) / (1 - constant_until)) if constant_until < 1 else 1.0


def set_learning_rate(state: TrainingState, config: PretrainingConfig) -> None:
    """The rates of this iteration."""
    factor = learning_rate_factor(config.progress(state.iteration), config.constant_until)
    for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


@torch.no_grad()
def update_average(state: TrainingState, decay: float) -> None:
    """Move the averaged generator towards the trained one."""
    # Early on the average follows faster, so that it does not remember the initial weights.
    decay = min(decay, (1 + state.iteration) / (10 + state.iteration))
    averages, currents = state.average.parameters(), state.networks.generator.parameters()
    torch._foreach_lerp_(list(averages), [p.detach() for p in currents], 1 - decay)
