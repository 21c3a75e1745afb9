"""The patches of every iteration, read ahead by worker processes so that the device does not wait for the disk."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.objective.forward_pass import StepPlan, TrainingPatches
from intrastyler_nnunet.objective.step import sample_plan
from intrastyler_nnunet.pretraining.ranks import Ranks
from intrastyler_nnunet.pretraining.run import Run
from intrastyler_nnunet.workers import WorkerContext, one_line_for_killed

MILD_GAMMA = (0.8, 1.2)  # of the released code

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
        config = self.run.config
        rng = np.random.default_rng([config.seed, number, iteration])
        seed = int(rng.integers(2**62))
        batch = batch_of([sample_patches(rng, self.run) for _ in range(config.batch_size)])
        return seed, batch, sample_plan(rng, config, self.run.metadata.axes, iteration)

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
    """Draw a source case and an exemplar, and their patches.

    Each patch is mirrored left-right by a coin toss of its own, the source with its labels. Mild changes of contrast
    are one for the source and one for all patches of the exemplar, whose style they are part of. Style patches that are
    as large as the exemplar's patch have it as the query.
    """
    source, target, config = run.source, run.target, run.config
    source_name, target_name = rng.choice(source.names), rng.choice(target.names)
    image, labels = source.random_patch(rng, source_name, config.patch_size)
    exemplar = _mirrored(rng, target, target.random_patch(rng, target_name, config.patch_size)[0])[0]
    whole = config.style_patch_size == config.patch_size
    query, positive = (
        exemplar if whole and index == 0
        else _mirrored(rng, target, target.random_patch(rng, target_name, config.style_patch_size)[0])[0]
        for index in range(2)
    )  # fmt: skip
    image, labels = _mirrored(rng, source, image, labels)
    (image,), (exemplar, query, positive) = (
        _in_mild_contrast(rng, config.gamma_share, images) for images in ([image], [exemplar, query, positive])
    )
    code = torch.tensor([target.codes.get(target_name, ())])
    return TrainingPatches(image, source.window(source_name), labels, exemplar, query, positive, code)


def _mirrored(rng: np.random.Generator, cases: PreprocessedCases, *images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(image.flip(2 + cases.left_right) for image in images) if rng.random() < 0.5 else images


def _in_mild_contrast(rng: np.random.Generator, share: float, images: list[torch.Tensor]) -> list[torch.Tensor]:
    gamma = rng.uniform(*MILD_GAMMA)
    return [((x + 1) / 2) ** gamma * 2 - 1 for x in images] if rng.random() < share else images


def exemplar_patch(rng: np.random.Generator, run: Run) -> torch.Tensor:
    """A random patch (1, 1, X, Y, Z) of a random exemplar, for the style encoder."""
    return run.target.random_patch(rng, rng.choice(run.target.names), run.config.style_patch_size)[0]


def batch_of(samples: list[TrainingPatches]) -> TrainingPatches:
    """Stack samples to a batch."""
    names = TrainingPatches.__dataclass_fields__
    return TrainingPatches(**{name: torch.cat([getattr(sample, name) for sample in samples]) for name in names})
