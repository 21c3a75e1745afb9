"""`intrastyler pretrain --estimate`: what a training step costs, counted on tensors without content.

No GPU is needed. Bytes are those of all tensors at the worst moment of a step: weights, gradients, Adam's memory, the
averaged generator and activations. A GPU needs more than its tensors, for its context and the workspace of its
kernels: see RESERVE.
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.config import preset
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.objective.config import COMPETITORS, PretrainingConfig, Schedule
from intrastyler_nnunet.objective.forward_pass import TrainingPatches
from intrastyler_nnunet.objective.perturbations import MIXTURE, sample_perturbation
from intrastyler_nnunet.objective.step import sample_plan
from intrastyler_nnunet.pretraining.prefetch import Part
from intrastyler_nnunet.pretraining.ranks import ALONE
from intrastyler_nnunet.pretraining.recipes import configured, read_recipe, resolved
from intrastyler_nnunet.pretraining.state import TrainingState, initial_state
from intrastyler_nnunet.pretraining.tensor_memory import TensorCost
from intrastyler_nnunet.pretraining.updates import training_step
from intrastyler_nnunet.structures import LABELS, LATEST, Structures

PRECISIONS = ("float32", "bfloat16")
RESERVE = 0.1  # of a card's memory, left to what is no tensor
GIB, TFLOP = 2**30, 1e12
STRUCTURES = Structures.of(LABELS[LATEST])  # of CrossMoDA, where no data set is given


@dataclass(frozen=True)
class StepCost:
    """What one training step needs."""

    gib: float
    tflop: float


def configuration_without_data(
    recipe_name: str, weights: dict[str, float | Schedule], patch_size: Sequence[int], **settings
) -> tuple[PretrainingConfig, GeneratorMetadata]:
    """The configuration that patches of this size (nnU-Net's order) of CrossMoDA would have. Raises InputError."""
    recipe = read_recipe(recipe_name)
    settings = resolved(recipe, weights, settings)
    hint = recipe.label_hint.of(STRUCTURES) if recipe.label_hint else None
    settings |= {
        "patch_size": tuple(patch_size), "style_patch_size": recipe.style_patch(patch_size), "label_hint": hint,
        "classes": len(STRUCTURES.values), "fluid_labels": (STRUCTURES.cochlea,), "recipe": Path(recipe_name).stem,
    }  # fmt: skip
    codes = {"": (1.0,)} if settings["method"] in COMPETITORS else {}
    return configured(settings, recipe_name), GeneratorMetadata(method=settings["method"], codes=codes)


def estimate(
    config: PretrainingConfig, metadata: GeneratorMetadata, memory: float | None = None, tflops: float | None = None
) -> dict:
    """What a step costs in every precision, with and without checkpointing, as plain values for JSON.

    Args:
        config: of the run; its precision and checkpointing count where only one case is looked at.
        metadata: of its generator.
        memory: GiB of a card; then also the largest patch that fits, no larger than the run's.
        tflops: 10^12 floating-point operations per second that the card reaches; then also hours.

    Raises:
        InputError: the patch is too small for the generator, or none fits the card.
    """
    smallest = _smallest(config, metadata)
    if any(size < least for size, least in zip(config.patch_size, smallest, strict=True)):
        raise InputError(f"patch size {config.patch_size}, expected at least {smallest} for preset {config.preset}")
    costs = {
        (precision, checkpointing): cost_of_step(
            replace(config, precision=precision, checkpointing=checkpointing), metadata
        )
        for precision in PRECISIONS
        for checkpointing in (False, True)
    }
    plain, checkpointed = (costs["float32", checkpointing].tflop for checkpointing in (False, True))
    result = {
        "recipe": config.recipe,
        "preset": config.preset,
        "patch_size": config.patch_size,
        "batch_size": config.batch_size,
        "gib": {
            precision: {"plain": costs[precision, False].gib, "checkpointed": costs[precision, True].gib}
            for precision in PRECISIONS
        },
        "tflop": plain,
        "tflop_checkpointed": checkpointed,
    }
    step = checkpointed if config.checkpointing else plain
    if memory is not None:
        fitting, cost = largest_fitting(config, metadata, memory)
        step = cost.tflop
        result["largest"] = {
            "memory": memory, "precision": config.precision, "checkpointing": config.checkpointing,
            "patch_size": fitting.patch_size, "gib": cost.gib, "tflop": cost.tflop,
        }  # fmt: skip
    if tflops is not None:
        result["hours"] = config.iterations * config.accumulate * step / tflops / 3600
    return result


def largest_fitting(
    config: PretrainingConfig, metadata: GeneratorMetadata, memory: float
) -> tuple[PretrainingConfig, StepCost]:
    """The configuration with the largest patch that fits a card of `memory` GiB, and what its step costs.

    Fewer slices are tried before smaller slices. Raises InputError if nothing fits.
    """
    costs: dict[tuple[int, ...], StepCost] = {}

    def resized(patch_size: tuple[int, ...]) -> PretrainingConfig:
        shares = [style / size for style, size in zip(config.style_patch_size, config.patch_size, strict=True)]
        least = min(8, *patch_size)
        style = tuple(max(least, round(share * size)) for share, size in zip(shares, patch_size, strict=True))
        return replace(config, patch_size=patch_size, style_patch_size=style)

    def fits(patch_size: tuple[int, ...]) -> bool:
        costs[patch_size] = cost_of_step(resized(patch_size), metadata)
        return costs[patch_size].gib <= (1 - RESERVE) * memory

    patches = smaller_patches(config.patch_size, metadata.axes, _stride(config, metadata), _smallest(config, metadata))
    found = bisect.bisect_left(patches, True, key=fits)
    if found == len(patches):
        raise InputError(f"{memory:g} GiB of memory: no patch fits, expected more, or a smaller --preset")
    return resized(patches[found]), costs[patches[found]]


def smaller_patches(
    patch_size: tuple[int, ...], axes: tuple[int, ...], stride: tuple[int, ...], smallest: tuple[int, ...]
) -> list[tuple[int, ...]]:
    """Patches from `patch_size` on, ever smaller: of fewer slices, then with these also smaller in the plane.

    Args:
        patch_size, stride, smallest: in nnU-Net's axis order; sizes below the first are multiples of the stride.
        axes: of the generator, the last one through the plane.
    """
    slices = axes[2]
    sizes = [size for size in range(patch_size[slices] - 1, smallest[slices] - 1, -1) if size % stride[slices] == 0]
    patches = [
        tuple(size if axis == slices else extent for axis, extent in enumerate(patch_size))
        for size in (patch_size[slices], *sizes)
    ]
    thin = patches[-1]
    for eighths in range(7, 0, -1):
        patch = tuple(
            extent if axis == slices else extent * eighths // 8 // step * step
            for axis, (extent, step) in enumerate(zip(thin, stride, strict=True))
        )
        if all(extent >= least for extent, least in zip(patch, smallest, strict=True)):
            patches.append(patch)
    return patches


def _stride(config: PretrainingConfig, metadata: GeneratorMetadata) -> tuple[int, ...]:
    stride = preset(config.preset)[0].stride
    return tuple(stride[metadata.axes.index(axis)] for axis in range(3))


def _smallest(config: PretrainingConfig, metadata: GeneratorMetadata) -> tuple[int, ...]:
    smallest = preset(config.preset)[0].smallest_image
    return tuple(smallest[metadata.axes.index(axis)] for axis in range(3))


def cost_of_step(config: PretrainingConfig, metadata: GeneratorMetadata) -> StepCost:
    """Of a step in which every term counts that has a weight at any time."""
    random = torch.get_rng_state()  # which tensors without content would advance
    with FakeTensorMode(), TensorCost() as cost:
        state = initial_state(replace(config, pretrained_weights=None), metadata, torch.device("cpu"))
        fill_optimizers(state)
        before = cost.flop
        training_step(state, [full_step(config, metadata)], config, ALONE)
    torch.set_rng_state(random)
    return StepCost(cost.peak / GIB, (cost.flop - before) / TFLOP)


def fill_optimizers(state: TrainingState) -> None:
    """Give Adam the memory that it has after the first step."""
    for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
        for parameter in (p for group in optimizer.param_groups for p in group["params"]):
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        optimizer.zero_grad()


def full_step(config: PretrainingConfig, metadata: GeneratorMetadata) -> Part:
    """A batch of noise and the most expensive plan for it: all perturbations, all terms that have a weight."""
    rng, count = np.random.default_rng(0), config.batch_size
    shares = config.shared_perturbation or config.hard_negatives
    plan = replace(
        sample_plan(rng, config, metadata.axes, 0),
        perturbation=sample_perturbation(rng, count * config.negatives, MIXTURE),
        shared=sample_perturbation(rng, count, MIXTURE) if shares else None,
        weights={term: float(config.uses(term)) for term in config.weights(0)},
    )
    shape, style_shape = (
        (count, 1, *(size[axis] for axis in metadata.axes)) for size in (config.patch_size, config.style_patch_size)
    )
    source, target = torch.rand(2, *shape).mul(2).sub(1).unbind()
    query, positive = torch.rand(2, *style_shape).mul(2).sub(1).unbind()
    labels, window = torch.zeros(shape, dtype=torch.int16), torch.tensor([[-2.0, 4.0]]).expand(count, -1)
    code = torch.ones(count, len(next(iter(metadata.codes.values()), ())))
    return 0, TrainingPatches(source, window, labels, target, query, positive, code), plan


def report(result: dict, output: Path | None) -> None:
    """Print an estimate in a few lines, and write it to a file."""
    size = " x ".join(map(str, result["patch_size"]))
    print(f"one step of recipe {result['recipe']}, preset {result['preset']}, patch {size}, {result['batch_size']} "
          "at once; GiB of tensors:")  # fmt: skip
    print(f"{'':10}{'plain':>8}{'checkpointed':>14}")
    for precision, gib in result["gib"].items():
        print(f"{precision:10}{gib['plain']:8.1f}{gib['checkpointed']:14.1f}")
    print(f"{result['tflop']:.1f} TFLOP, with checkpointing {result['tflop_checkpointed']:.1f}")
    if "largest" in result:
        largest = result["largest"]
        size = " x ".join(map(str, largest["patch_size"]))
        print(f"largest patch for {largest['memory']:g} GiB in {largest['precision']}, "
              f"{'with' if largest['checkpointing'] else 'without'} checkpointing: {size} ({largest['gib']:.1f} GiB, "
              f"{RESERVE:.0%} of the card left to what is no tensor)")  # fmt: skip
    if "hours" in result:
        print(f"{result['hours']:.1f} hours for all steps")
    if output is not None:
        write_json(result, output)
