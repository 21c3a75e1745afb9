"""Architectures as data: every network is fully described by one frozen dataclass."""

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len

from intrastyler_nnunet.errors import InputError

Extent = Annotated[int, Ge(1), Le(32)]
Triple = tuple[Extent, Extent, Extent]
Width = Annotated[int, Ge(1), Le(4096)]

SMALLEST_EXEMPLAR = 4  # voxels along each axis that the style encoder's convolutions need


@dataclass(frozen=True)
class GeneratorConfig:
    """Architecture of the generator and its style encoder. Spatial triples end with the through-plane axis."""

    width: Width = 64  # channels after the first convolution ("ngf")
    residual_blocks: Annotated[int, Ge(0), Le(100)] = 9
    strides: Annotated[tuple[Triple, ...], Len(1, 8)] = ((2, 2, 2), (2, 2, 2))  # one entry per down-sampling stage
    outer_kernel: Triple = (7, 7, 7)  # first and last convolution
    pixel_block: Triple = (1, 1, 1)  # voxels that these two take and give as channels of one; coarser is faster
    style_dim: Width = 256  # K, length of the style vector
    style_width: Width | Literal[0] = 64  # channels after the style encoder's first convolution; 0: styles are codes
    label_channels: Annotated[int, Ge(0), Le(64)] = 0  # of the input beside the image: where structures are
    skip: bool = False  # the last decoder stage also sees the source: outlines need not pass the coarse features
    released_blur: bool = False  # the blur of the paper's released code, for its weights only

    @property
    def stride(self) -> Triple:
        """Voxels along each axis that become one place of the content features."""
        return tuple(
            block * math.prod(strides) for block, *strides in zip(self.pixel_block, *self.strides, strict=True)
        )

    @property
    def smallest_image(self) -> Triple:
        """Voxels along each axis that a source or exemplar needs: more than one place is left after all down-sampling.

        A single one has no neighbour to reflect at the border, and no deviation to normalise by. Sources are padded to
        multiples of the stride, exemplars are not.
        """
        x, y, z = (max(stride + 1, SMALLEST_EXEMPLAR) for stride in self.stride)
        return x, y, z

    @property
    def pixel_channels(self) -> int:
        """Channels that a block of an image's voxels becomes."""
        return math.prod(self.pixel_block)

    @property
    def input_channels(self) -> int:
        """Channels that a block of the input's voxels becomes, label channels included."""
        return self.pixel_channels * (1 + self.label_channels)

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Architecture of the 3D PatchGAN: kernels are short on the through-plane axis."""

    width: int = 64
    levels: int = 3
    kernel: Triple = (4, 4, 3)
    style_dim: int = 0  # length of the style vector that it is told; 0: none
    antialiased: bool = False  # smooths before it leaves out voxels, as the released code; takes more time and memory


# Reference: the paper. The others trade capacity for speed.
PRESETS: dict[str, tuple[GeneratorConfig, DiscriminatorConfig]] = {
    "reference": (GeneratorConfig(), DiscriminatorConfig()),
    "compact": (
        # Half the depth of down-sampling along the thick slices, where the cochlea is a handful of voxels.
        GeneratorConfig(
            width=12,
            residual_blocks=6,
            strides=((2, 2, 1), (2, 2, 2)),
            outer_kernel=(5, 5, 3),
            style_width=16,
            skip=True,
        ),
        DiscriminatorConfig(width=32),
    ),
    "light": (
        # No layer at full in-plane resolution: 2 x 2 voxels are one place with four channels.
        GeneratorConfig(
            width=16,
            residual_blocks=6,
            strides=((2, 2, 1), (1, 1, 2)),
            outer_kernel=(3, 3, 3),
            pixel_block=(2, 2, 1),
            style_width=16,
            skip=True,
        ),
        DiscriminatorConfig(width=32),
    ),
    # Exactly the released code's, slip of its blur included.
    "released": (GeneratorConfig(released_blur=True), DiscriminatorConfig(antialiased=True)),
    "mini": (GeneratorConfig(width=8, style_width=16), DiscriminatorConfig(width=16)),
}


def preset(name: str) -> tuple[GeneratorConfig, DiscriminatorConfig]:
    """The architectures of preset `name`; InputError for an unknown one."""
    if name not in PRESETS:
        raise InputError(f"preset {name!r} is not known, expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
