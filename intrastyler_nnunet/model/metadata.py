"""What a generator was trained on, and therefore what it may be used on."""

from dataclasses import asdict, dataclass, field

from intrastyler_nnunet.model.config import _tupled


@dataclass(frozen=True)
class LabelHint:
    """Label values, and what is done to the intensities of their voxels.

    As in the released code: the cochlea `inverted`, the tumour `shifted` by `shift`, both in generator space. There,
    equal tissues of two cases differ, as a case's window reaches to its brightest voxels. Labels in `levels` get a
    z-score, and their neighbours that much more or less as they have of them by partial volume.
    """

    inverted: tuple[int, ...] = (3,)
    shifted: tuple[int, ...] = (1, 2)
    shift: float = -1.0
    soft: bool = False  # borders as of partial volume; the released code's are those of the voxels
    levels: tuple[tuple[tuple[int, ...], float], ...] = ()  # label values and their z-score, in nnU-Net space


@dataclass(frozen=True)
class GeneratorMetadata:
    """Stored in the header of `generator.safetensors`; `None` means unknown and is not checked."""

    method: str = "intrastyler"
    axes: tuple[int, int, int] = (2, 1, 0)  # generator axis i is axis axes[i] of nnU-Net's preprocessed arrays
    spacing: tuple[float, ...] | None = None  # mm, in nnU-Net's axis order
    transpose_forward: tuple[int, ...] | None = None  # nnU-Net's plans
    orientation: str | None = None  # of the training images' stored axes, such as "LPS"
    normalization: tuple[str, ...] | None = None  # nnU-Net's scheme names, one per channel
    use_mask_for_norm: tuple[bool, ...] | None = None  # whether nnU-Net normalised within the nonzero region
    intensity_properties: dict[str, float] | None = None  # of nnU-Net's plans, for schemes such as CTNormalization
    patch_size: tuple[int, ...] | None = None  # of the generator, voxels in nnU-Net's axis order
    style_patch_size: tuple[int, ...] | None = None  # of the style encoder
    codes: dict[str, tuple[float, ...]] = field(default_factory=dict)  # style by target case, where none is learnt
    label_hint: LabelHint | None = None  # the generator expects its input changed by this hint
    training: dict = field(default_factory=dict)  # summary for people, never interpreted

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "GeneratorMetadata":
        """Inverse of `to_dict` after a round trip through JSON."""
        values = {
            name: value if name in ("training", "label_hint", "codes", "orientation") else _tupled(value)
            for name, value in values.items()
        }
        values["codes"] = {case: _tupled(code) for case, code in values.get("codes", {}).items()}
        if values.get("label_hint") is not None:
            values["label_hint"] = LabelHint(**{k: _tupled(v) for k, v in values["label_hint"].items()})
        return cls(**values)
