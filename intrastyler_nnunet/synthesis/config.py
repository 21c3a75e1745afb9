"""Everything that decides how a generator is trained."""

from dataclasses import asdict, dataclass

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.networks.label_hint import LabelHint


@dataclass(frozen=True)
class PretrainingConfig:
    """Saved as `config.json` beside the generator. Sizes are voxels in nnU-Net's axis order."""

    preset: str
    patch_size: tuple[int, ...]  # of the generator and discriminator
    style_patch_size: tuple[int, ...]  # of the style encoder; smaller, so that two patches of one exemplar differ
    iterations: int
    seed: int = 0
    batch_size: int = 1
    learning_rate: float = 2e-4  # halves linearly to zero over the second half
    betas: tuple[float, float] = (0.5, 0.999)
    style_learning_rate: float = 5e-5  # of the style encoder, whose contrast has one query per step: slow and steady
    style_betas: tuple[float, float] = (0.9, 0.999)
    lambda_nce: float = 1.0
    lambda_style: float = 5.0  # paper section 2.5.2
    lambda_consistency: float = 5.0  # paper section 2.5.2
    nce_layers: tuple[int, ...] = (0, 4, 8, 12, 16)
    nce_places: int = 256
    nce_sampling: str = "random"  # or "qs_attn": deep layers are compared where attention is most focused
    nce_temperature: float = 0.07
    negatives: int = 8  # N of equation 1
    style_temperature: float = 0.01  # tau of equation 1
    style_warmup: int = 1000  # first steps, which train the style encoder alone: a generator needs styles that differ
    ema_decay: float = 0.995  # the saved generator is this moving average of the trained one
    label_hint: LabelHint | None = None
    lambda_segmentation: float = 0.0  # anatomy terms of the released code, which weights them 0.5 and 1
    lambda_edge: float = 0.0
    classes: int = 2  # of the source labels, background included; for the segmentation term
    instance_noise: float = 0.0  # deviation of the noise on all that discriminator and light segmenter see
    checkpoint_every: int = 250
    panel_every: int = 250

    def __post_init__(self):
        """Raises InputError if the values contradict each other."""
        if self.iterations <= self.style_warmup:
            raise InputError(
                f"{self.iterations} iterations, expected more than the {self.style_warmup} of the style warm-up"
            )
        if any(style > whole for style, whole in zip(self.style_patch_size, self.patch_size, strict=True)):
            raise InputError(f"style patch {self.style_patch_size} is larger than the patch {self.patch_size}")
        if self.batch_size < 1:
            raise InputError(f"batch size {self.batch_size}, expected at least 1")

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return asdict(self)
