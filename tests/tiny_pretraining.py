"""The configuration and runs of trainings that take seconds, of networks that the fixture `tiny_preset` provides."""

from collections.abc import Sequence
from pathlib import Path

from intrastyler_nnunet.model.metadata import GeneratorMetadata, LabelHint
from intrastyler_nnunet.nnunet.cases import PreprocessedCases
from intrastyler_nnunet.objective.config import PretrainingConfig
from intrastyler_nnunet.pretraining.run import Run

METADATA = GeneratorMetadata(spacing=(1.5, 1.0, 1.0))
CONFIG = PretrainingConfig(
    preset="tiny", patch_size=(8, 16, 18), style_patch_size=(8, 12, 12), iterations=6, nce_places=32, negatives=3,
    style_warmup=1, checkpoint_every=2, panel_every=6, label_hint=LabelHint(),
)  # fmt: skip


def run_on(
    cases: Sequence[PreprocessedCases], config: PretrainingConfig, folder: Path = Path(),
    truths: PreprocessedCases | None = None,
) -> Run:  # fmt: skip
    """A training on source and target cases."""
    return Run(*cases, config, METADATA, folder, truths)
