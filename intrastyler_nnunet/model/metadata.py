"""What a generator was trained on, and therefore what it may be used on."""

from dataclasses import asdict, dataclass, field
from typing import Annotated

from annotated_types import Ge, Len

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.typed_json import Check, Count, FileName, Spacing, Text

LabelValues = tuple[Annotated[int, Ge(0)], ...]


def _axes(order: tuple[int, ...]) -> tuple[int, ...]:
    if sorted(order) != [0, 1, 2]:
        raise InputError("expected the axes 0, 1 and 2 in any order")
    return order


Axes = Annotated[tuple[int, ...], Check(_axes)]
Sizes = Annotated[tuple[Count, ...], Len(3, 3)]


@dataclass(frozen=True)
class LabelHint:
    """Label values, and what is done to the intensities of their voxels.

    As in the released code: the cochlea `inverted`, the tumour `shifted` to a `mean` of -0.5, both in generator space.
    There, equal tissues of two cases differ, as a case's window reaches to its brightest voxels. Labels in `levels` get
    a z-score, and their neighbours that much more or less as they have of them by partial volume.
    """

    inverted: LabelValues = (3,)
    shifted: LabelValues = (1, 2)
    shift: float = -1.0
    mean: float | None = None  # then the tumour is shifted by as much as brings its mean over the image here
    soft: bool = False  # borders as of partial volume; the released code's are those of the voxels
    channels: tuple[LabelValues, ...] = ()  # label values, each group with a channel of the generator's input
    levels: tuple[tuple[LabelValues, float], ...] = ()  # label values and their z-score, in nnU-Net space


@dataclass(frozen=True)
class GeneratorMetadata:
    """Stored in the header of `generator.safetensors`; `None` means unknown and is not checked."""

    method: Text = "intrastyler"
    axes: Axes = (2, 1, 0)  # generator axis i is axis axes[i] of nnU-Net's preprocessed arrays
    spacing: Annotated[tuple[Spacing, ...], Len(3, 3)] | None = None  # mm, in nnU-Net's axis order
    transpose_forward: Axes | None = None  # nnU-Net's plans
    orientation: Text | None = None  # of the training images' stored axes, such as "LPS"
    normalization: tuple[Text, ...] | None = None  # nnU-Net's scheme names, one per channel
    use_mask_for_norm: tuple[bool, ...] | None = None  # whether nnU-Net normalised within the nonzero region
    intensity_properties: dict[Text, float] | None = None  # of nnU-Net's plans, for schemes such as CTNormalization
    patch_size: Sizes | None = None  # of the generator, voxels in nnU-Net's axis order
    style_patch_size: Sizes | None = None  # of the style encoder
    codes: dict[FileName, tuple[float, ...]] = field(default_factory=dict)  # style by target case, where none is learnt
    label_hint: LabelHint | None = None  # the generator expects its input changed by this hint
    acquisition: bool = False  # trained with blur and noise behind it, which translation then has to add
    training: dict = field(default_factory=dict)  # summary for people, never interpreted

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return asdict(self)
