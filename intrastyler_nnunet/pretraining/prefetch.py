"""The patches of every iteration, read ahead by worker processes so that the device does not wait for the disk."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.objective.forward_pass import StepPlan, TrainingPatches
from intrastyler_nnunet.objective.step import sample_plan
from intrastyler_nnunet.pretraining.ranks import Ranks
from intrastyler_nnunet.pretraining.run import Run
from intrastyler_nnunet.workers import WorkerContext, one_line_for_killed

Part = tuple[int, TrainingPatches, StepPlan]  # the seed of the device's own random numbers, the batch, its plan


class TrainingParts(Dataset):
    """The batches of one rank, by iteration.

    Everything random is seeded by (seed, number of the batch among all ranks, iteration): a resumed run, or one with
    other workers, draws the same.
    """

    def __init__(self, run: Run, ranks: Ranks):
        self.run = run
        self.numbers = range(ranks.rank * run.config.accumulate, (ranks.rank + 1) * run.config.accumulate)

    def part(self, number: int, iteration: int) -> Part:
        """Batch `number` of an iteration, on the CPU."""
        config, metadata = self.run.config, self.run.metadata
        rng = np.random.default_rng([config.seed, number, iteration])
        seed = int(rng.integers(2**62))
        batch = batch_of([sample_patches(rng, self.run) for _ in range(config.batch_size)])
        return seed, batch, sample_plan(rng, config, metadata.axes, metadata.spacing, iteration)

    def __getitem__(self, iteration: int) -> list[Part] | InputError | OSError:
        """This rank's batches of an iteration, or what keeps them from being read: a loader would alter its message."""
        try:
            return [self.part(number, iteration) for number in self.numbers]
        except (InputError, OSError) as error:
            return error


def parts_on_device(
    parts: TrainingParts, iterations: range, device: torch.device, processes: int
) -> Iterator[list[Part]]:
    """The parts of `iterations` on `device`, read by `processes` workers ahead of time; 0: when asked for.

    Raises:
        InputError: a worker was killed.
    """
    loader = DataLoader(
        parts, batch_size=None, sampler=iterations, num_workers=processes, pin_memory=device.type == "cuda",
        multiprocessing_context=WorkerContext() if processes else None, prefetch_factor=4 if processes else None,
        collate_fn=_unchanged,
    )  # fmt: skip
    ready = iter(loader)
    for _ in iterations:
        with one_line_for_killed():
            part = next(ready)
        if isinstance(part, Exception):
            raise part
        yield [(seed, batch.to(device), plan) for seed, batch, plan in part]


def _unchanged(sample: list[Part]) -> list[Part]:
    return sample


def sample_patches(rng: np.random.Generator, run: Run) -> TrainingPatches:
    """Draw a source case and an exemplar, and their patches; each pair is mirrored left-right by a coin toss."""
    source, target, config = run.source, run.target, run.config
    source_name, target_name = rng.choice(source.names), rng.choice(target.names)
    image, labels = source.random_patch(rng, source_name, config.patch_size)
    exemplar = target.random_patch(rng, target_name, config.patch_size)[0]
    query, positive = (target.random_patch(rng, target_name, config.style_patch_size)[0] for _ in range(2))
    if rng.random() < 0.5:
        image, labels = (x.flip(2 + source.left_right) for x in (image, labels))
    if rng.random() < 0.5:
        exemplar = exemplar.flip(2 + target.left_right)
    code = torch.tensor([target.codes.get(target_name, ())])
    return TrainingPatches(image, source.window(source_name), labels, exemplar, query, positive, code)


def exemplar_patch(rng: np.random.Generator, run: Run) -> torch.Tensor:
    """A random patch (1, 1, X, Y, Z) of a random exemplar, for the style encoder."""
    return run.target.random_patch(rng, rng.choice(run.target.names), run.config.style_patch_size)[0]


def batch_of(samples: list[TrainingPatches]) -> TrainingPatches:
    """Stack samples to a batch."""
    names = TrainingPatches.__dataclass_fields__
    return TrainingPatches(**{name: torch.cat([getattr(sample, name) for sample in samples]) for name in names})
