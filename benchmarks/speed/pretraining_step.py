"""What a training step costs, by part, against what no implementation can avoid.

    OMP_NUM_THREADS=1 python -m benchmarks.speed.pretraining_step [--preset NAME] [-device cuda]

Unavoidable is one forward and one backward pass of every network on the inputs that the objective gives it: the
generator on source and exemplar, its encoder on both outputs (as deep as PatchNCE looks), the style encoder on ten
patches and on the output, the discriminator on the output and then on exemplar and output. The rest is overhead:
perturbations, losses, optimizers, moving average. Times are processor time on a CPU, the device's on a GPU; the median
of the repetitions. Memory is what tensors hold at most beyond what is there before. The step is also taken with
activation checkpointing and in bfloat16, as our default recipe takes it, and in the straightforward order of work in
float32 (`straightforward_step`), as the released code does it.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.speed.device_clock import seconds
from benchmarks.speed.peak_memory import peak_bytes
from benchmarks.speed.straightforward_step import straightforward_step
from intrastyler_nnunet.cli.options import add_device
from intrastyler_nnunet.devices import chosen_device
from intrastyler_nnunet.files import write_json
from intrastyler_nnunet.model.metadata import GeneratorMetadata
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.objective.forward_pass import TrainingPatches
from intrastyler_nnunet.objective.perturbations import Perturbation, perturb
from intrastyler_nnunet.objective.step import sample_plan
from intrastyler_nnunet.pretraining.prefetch import Part
from intrastyler_nnunet.pretraining.ranks import ALONE
from intrastyler_nnunet.pretraining.state import TrainingState, initial_state
from intrastyler_nnunet.pretraining.updates import training_step, update_average

METADATA = GeneratorMetadata(spacing=(1.5, 1.0, 1.0))
PATCH, STYLE_PATCH = (16, 64, 96), (11, 45, 67)  # of the shipped generator, nnU-Net's axis order

Work = Callable[[], None]


def main() -> None:
    """Measure, print, write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--patch-size", type=int, nargs=3, default=PATCH)
    parser.add_argument("--style-patch-size", type=int, nargs=3, default=STYLE_PATCH)
    add_device(parser, "to measure")
    parser.add_argument("--repeats", type=int, default=5)
    result_file = Path(__file__).parents[1] / "results" / "pretraining_step.json"
    parser.add_argument("-o", dest="output", type=Path, default=result_file)
    arguments = parser.parse_args()
    device = chosen_device(arguments.device)
    config = PretrainingConfig(
        preset=arguments.preset, patch_size=tuple(arguments.patch_size),
        style_patch_size=tuple(arguments.style_patch_size), iterations=10, style_warmup=0,
    )  # fmt: skip
    state = initial_state(config, METADATA, device)
    state.iteration = 1
    batch = random_batch(config, device)
    plan = sample_plan(np.random.default_rng(0), config, METADATA.axes, 1)
    every_effect = {name: np.abs(value) + 0.1 for name, value in vars(plan.perturbation).items()}
    mixture = Perturbation(**every_effect)  # the most expensive kind
    plan = replace(plan, perturbation=mixture)
    part = (0, batch, plan)
    works = {
        "step": lambda: training_step(state, [part], config, ALONE),
        "step, checkpointed": lambda: changed_step(state, part, config, True),
        "step, bfloat16": lambda: changed_step(state, part, replace(config, precision="bfloat16"), False),
        "step, bfloat16, checkpointed": lambda: changed_step(state, part, replace(config, precision="bfloat16"), True),
        "step, straightforward": lambda: straightforward_step(state, part, config),
        **networks_alone(state, batch, config),
        "perturbations": lambda: perturb(batch.style_positive.repeat_interleave(config.negatives, dim=0), mixture),
        "moving average": lambda: update_average(state, config.ema_decay),
    }
    measured = {name: measure(work, device, arguments.repeats) for name, work in works.items()}
    summary = summarise(measured)
    for name, values in measured.items():
        print(f"{name:40} {values['seconds']:8.3f} s {values['peak_mb']:9.1f} MB")
    print(f"unavoidable {summary['unavoidable_seconds']:.3f} s, overhead {summary['overhead']:.1%}")
    for name, ratios in summary["over_straightforward"].items():
        print(f"{name} / straightforward: time {ratios['seconds']:.2f}, memory {ratios['peak_mb']:.2f}")
    write_json({"preset": config.preset, "device": arguments.device, **summary, "parts": measured}, arguments.output)


def changed_step(state: TrainingState, part: Part, config: PretrainingConfig, checkpointing: bool) -> None:
    """A step of this configuration with or without activation checkpointing."""
    state.networks.checkpoint(checkpointing)
    training_step(state, [part], config, ALONE)
    state.networks.checkpoint(False)


def networks_alone(state: TrainingState, batch: TrainingPatches, config: PretrainingConfig) -> dict[str, Work]:
    """One forward and backward pass of every network on its inputs, by name; all names begin with "network"."""
    networks, generator = state.networks, state.networks.generator
    both = torch.cat([batch.source, batch.target])
    style = torch.nn.functional.normalize(torch.randn(2, generator.config.style_dim, device=both.device), dim=1)
    ten = batch.style_query.repeat(2 + config.negatives, 1, 1, 1, 1)
    layers = config.nce_layers

    def judged_discriminator() -> None:
        networks.discriminator.requires_grad_(False)
        _backward(networks.discriminator(_leaf(batch.source)))
        networks.discriminator.requires_grad_(True)

    return {
        "network: generator": lambda: _backward(generator(both, style)),
        "network: its encoder on outputs": lambda: _backward(
            generator.content_encoder(_leaf(generator.pad_to_stride(both)), layers, max(layers))[0]
        ),
        "network: style encoder": lambda: _backward(generator.encode_style(ten)),
        "network: style encoder on output": lambda: _backward(
            generator.encode_style(_leaf(batch.style_query), fixed=True)
        ),
        "network: discriminator on output": judged_discriminator,
        "network: discriminator": lambda: _backward(networks.discriminator(both)),
    }


def measure(work: Work, device: torch.device, repeats: int) -> dict[str, float]:
    """Median time of `work` after one call to warm up, and the most memory it needs."""
    work()
    times = [seconds(work, device) for _ in range(repeats)]
    return {"seconds": statistics.median(times), "peak_mb": peak_bytes(work, device) / 2**20}


def summarise(measured: dict[str, dict[str, float]]) -> dict:
    """The sum over the networks, the step's time beyond it as a part of it, and the straightforward step's ratios."""
    unavoidable = sum(values["seconds"] for name, values in measured.items() if name.startswith("network"))
    straightforward = measured["step, straightforward"]
    return {
        "unavoidable_seconds": unavoidable,
        "overhead": measured["step"]["seconds"] / unavoidable - 1,
        "over_straightforward": {
            name: {measure: value / straightforward[measure] for measure, value in values.items()}
            for name, values in measured.items()
            if name.startswith("step") and values is not straightforward
        },
    }


def random_batch(config: PretrainingConfig, device: torch.device) -> TrainingPatches:
    """Noise of the right shapes."""
    patch, style_patch = (
        torch.rand(1, 1, *(size[axis] for axis in METADATA.axes), device=device) * 2 - 1
        for size in (config.patch_size, config.style_patch_size)
    )
    labels, code = torch.zeros_like(patch, dtype=torch.int16), torch.zeros(1, 0, device=device)
    window = torch.tensor([[-2.0, 4.0]], device=device)
    return TrainingPatches(patch, window, labels, patch, style_patch, style_patch, code)


def _leaf(images: torch.Tensor) -> torch.Tensor:
    return images.detach().clone().requires_grad_()


def _backward(output: torch.Tensor) -> None:
    output.square().mean().backward()


if __name__ == "__main__":
    main()
