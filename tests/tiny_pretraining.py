"""The configuration of trainings that take seconds, of networks that the fixture `tiny_preset` provides."""

from intrastyler_nnunet.model.metadata import GeneratorMetadata, LabelHint
from intrastyler_nnunet.objective.config import PretrainingConfig

METADATA = GeneratorMetadata(spacing=(1.5, 1.0, 1.0))
CONFIG = PretrainingConfig(
    preset="tiny", patch_size=(8, 16, 18), style_patch_size=(8, 12, 12), iterations=6, nce_places=32, negatives=3,
    style_warmup=1, checkpoint_every=2, panel_every=6, label_hint=LabelHint(),
)  # fmt: skip
