"""What an image was acquired with, measured without labels: its noise, its sharpness, its intensities.

A row of numbers for each image, of generator space, between which one may interpolate linearly. `rescanning` gives them
to other images. Everything is computed on the images' device, and no value is read back.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from intrastyler_nnunet.model.borders import Inside
from intrastyler_nnunet.model.smoothing import CUT, gaussian_kernels
from intrastyler_nnunet.translation.curves import through_curves
from intrastyler_nnunet.translation.label_hint import mean_inside

WIDEST = 2.0  # voxels, of grain and blur
REACH = int(CUT * WIDEST)  # voxels that such a Gaussian looks at on either side
PROBABILITIES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)  # of the quantiles
BRAIN = (0.25, 0.6)  # quantiles of local means between which tissue lies that is neither dark nor fluid
FLAT = 0.4  # share of it, where local means change least, in which noise is measured
SAMPLE = 2**17  # voxels at most, evenly spaced, of which medians and quantiles are taken
MEDIAN_DEVIATION = 0.6745  # median of |x| for a normal x of deviation 1
KNOTS = 129  # widths for which what is measured of them is tabulated
OWN_WIDTH = 1 / 12  # variance of the mean over a voxel


class Acquisition(NamedTuple):
    """The columns of rows that `measured` made of B images."""

    noise: torch.Tensor  # (B, 1) standard deviation
    grain: torch.Tensor  # (B, 3) voxels, deviation of the Gaussian by which white noise becomes as smooth
    blur: torch.Tensor  # (B, 3) voxels, deviation of the Gaussian that edges went through before they became voxels
    quantiles: torch.Tensor  # (B, 7) intensities at PROBABILITIES, of means over 3 x 3 voxels of the plane

    @classmethod
    def of(cls, rows: torch.Tensor) -> "Acquisition":
        """Rows (B, COLUMNS)."""
        return cls(*rows.split((1, 3, 3, len(PROBABILITIES)), dim=1))


COLUMNS = 7 + len(PROBABILITIES)


def measured(images: torch.Tensor, inside: torch.Tensor | None = None) -> torch.Tensor:
    """Rows (B, COLUMNS) of images.

    Noise is what second differences along both axes of the plane leave (Immerkaer, Computer Vision and Image
    Understanding 64(2), 1996), in tissue of middling intensity where the image is flat, by its median size and by the
    share of neighbours of one sign, which neither edges nor lesions move far. Sharpness is how much more the image
    changes over two voxels than over one, which edges decide: twice as much (squared) if they are sharp, four times if
    they are not.

    Args:
        images: (B, 1, X, Y, Z) in [-1, 1], 4 voxels an axis or more, X and Y in the plane.
        inside: (B, 1, X, Y, Z), bool, which voxels are image; None: all.
    """
    with torch.autocast(images.device.type, enabled=False):
        images = continued(images.float(), inside)
        differences = _second_differences(images)
        flat = _flat(images, differences, inside)
        grain = _grain(differences, flat)
        noise = _level(differences, flat) / high_pass_gain(grain)
        return torch.cat([noise, grain, _blur(images, flat, inside), quantiles(images, inside)], dim=1)


def noise_of_grain(images: torch.Tensor, grain: torch.Tensor, inside: torch.Tensor | None = None) -> torch.Tensor:
    """The deviation (B, 1) of noise in images (as in `measured`), if it has this grain (B, 3)."""
    with torch.autocast(images.device.type, enabled=False):
        images = continued(images.float(), inside)
        differences = _second_differences(images)
        return _level(differences, _flat(images, differences, inside)) / high_pass_gain(grain)


def quantiles(images: torch.Tensor, inside: torch.Tensor | None = None) -> torch.Tensor:
    """Intensities (B, 7) at PROBABILITIES of images (as in `measured`), of which means take most of the noise."""
    images = continued(images.float(), inside)
    means = _local_means(images, 1)[:, :, 1:-1, 1:-1]
    means = _sampled(torch.where(_image(_second_differences(images), inside), means, torch.nan))
    return means.nanquantile(torch.tensor(PROBABILITIES, device=images.device), dim=1).T.nan_to_num()


def continued(images: torch.Tensor, inside: torch.Tensor | None) -> torch.Tensor:
    """Images (B, 1, X, Y, Z) that go on outside as they are at their border."""
    return images if inside is None else Inside(inside).continued(images, "replicate")


def high_pass_gain(grain: torch.Tensor) -> torch.Tensor:
    """What second differences leave of noise of this grain (B, 3), as a part (B, 1) of its deviation; 1 of white."""
    widths, correlations = _table(grain.device)
    power = _of_differences(correlations)[:, 0] / 6
    gains = _looked_up(grain[:, :2], widths, power.sqrt())
    return gains.prod(dim=1, keepdim=True)


def _second_differences(images: torch.Tensor) -> torch.Tensor:
    """(B, 1, X, Y, Z) -> (B, 1, X - 2, Y - 2, Z), of deviation 1 where the image is white noise of deviation 1."""
    return images.diff(n=2, dim=2).diff(n=2, dim=3) / 6


def _image(differences: torch.Tensor, inside: torch.Tensor | None) -> torch.Tensor:
    """Where second differences are those of an image: inside, and not where all voxels have one value."""
    varied = differences != 0
    return varied if inside is None else varied & inside[:, :, 1:-1, 1:-1]


def _flat(images: torch.Tensor, differences: torch.Tensor, inside: torch.Tensor | None) -> torch.Tensor:
    """Where noise is measured, (B, 1, X - 2, Y - 2, Z), bool."""
    image, means = _image(differences, inside), _local_means(images, 2)
    around = F.pad(means, (1, 1, 1, 1, 1, 1), mode="replicate")
    slope_x = around[:, :, 4:, 2:-2, 1:-1] - around[:, :, :-4, 2:-2, 1:-1]
    slope_y = around[:, :, 2:-2, 4:, 1:-1] - around[:, :, 2:-2, :-4, 1:-1]
    slope_z = around[:, :, 2:-2, 2:-2, 2:] - around[:, :, 2:-2, 2:-2, :-2]
    slope, means = slope_x.square() + slope_y.square() + slope_z.square(), means[:, :, 1:-1, 1:-1]
    low, high = _quantiles_where(image, means, BRAIN)
    brain = image & (means >= low) & (means <= high)
    (steep,) = _quantiles_where(brain, slope, (FLAT,))
    return brain & (slope <= steep)


def _quantiles_where(mask: torch.Tensor, values: torch.Tensor, probabilities: tuple[float, ...]) -> torch.Tensor:
    """(Q, B, 1, 1, 1, 1), of the values (B, 1, X, Y, Z) in the mask."""
    sampled = _sampled(torch.where(mask, values, torch.nan))
    found = sampled.nanquantile(torch.tensor(probabilities, device=values.device), dim=1)
    return found[..., None, None, None, None]


def _level(differences: torch.Tensor, flat: torch.Tensor) -> torch.Tensor:
    """Robust deviation (B, 1) of differences where the image is flat."""
    sizes = _sampled(torch.where(flat, differences.abs(), torch.nan))
    return (sizes.nanmedian(dim=1, keepdim=True).values / MEDIAN_DEVIATION).nan_to_num()


def _grain(differences: torch.Tensor, flat: torch.Tensor) -> torch.Tensor:
    """(B, 3), from the correlation of neighbouring second differences.

    Of normal numbers that are so correlated, a share 1/2 + asin(r) / pi has the sign of its neighbour.
    """
    widths, correlations = _table(differences.device)
    in_plane = _of_differences(correlations)
    expected = (in_plane[:, 1] / in_plane[:, 0],) * 2 + (correlations[:, 1],)
    signs, grains = differences.sign(), []
    for axis, table in enumerate(expected):
        length = signs.shape[2 + axis] - 1
        products = signs.narrow(2 + axis, 0, length) * signs.narrow(2 + axis, 1, length)
        alike = mean_inside(products, _both(flat, axis, 1)).flatten()
        grains.append(_looked_up(torch.sin(torch.pi / 2 * alike), table, widths))
    return torch.stack(grains, dim=1)


def _blur(images: torch.Tensor, flat: torch.Tensor, inside: torch.Tensor | None) -> torch.Tensor:
    """(B, 3), from mean squared changes over one and two voxels, less those of flat tissue, which are noise."""
    widths = torch.linspace(0, WIDEST, KNOTS, device=images.device)
    steps = torch.sqrt(widths.square() + OWN_WIDTH)
    expected = _edge_power(2, steps) / _edge_power(1, steps)
    inside = torch.ones_like(images, dtype=torch.bool) if inside is None else inside
    flat, blurs = F.pad(flat, (0, 0, 1, 1, 1, 1)), []
    for axis in range(3):
        across = [1 if other in (axis, 2) else 3 for other in range(3)]  # means there take noise, and leave edges
        x, y, z = (size // 2 for size in across)
        means = F.avg_pool3d(F.pad(images, (z, z, y, y, x, x), mode="replicate"), across, 1)
        powers = [
            mean_inside((changes := _changes(means, axis, lag)).square(), _both(inside, axis, lag)).flatten()
            - _level(changes, _both(flat, axis, lag))[:, 0].square()
            for lag in (1, 2)
        ]
        blurs.append(_looked_up(powers[1] / powers[0].clamp(min=1e-8), expected, widths))
    return torch.stack(blurs, dim=1)


def _changes(images: torch.Tensor, axis: int, lag: int) -> torch.Tensor:
    length = images.shape[2 + axis] - lag
    return images.narrow(2 + axis, lag, length) - images.narrow(2 + axis, 0, length)


def _both(mask: torch.Tensor, axis: int, lag: int) -> torch.Tensor:
    """Where a voxel and the one that is `lag` further along the axis are in a mask (B, 1, X, Y, Z)."""
    length = mask.shape[2 + axis] - lag
    return mask.narrow(2 + axis, lag, length) & mask.narrow(2 + axis, 0, length)


def _edge_power(lag: int, width: torch.Tensor) -> torch.Tensor:
    """Integral of (h(x + lag) - h(x))^2 over x for a step h that went through a Gaussian of this width."""
    inner = torch.exp(-(lag**2) / (4 * width.square()))
    return lag * torch.erf(lag / (2 * width)) - 2 * width / torch.pi**0.5 * (1 - inner)


def _table(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Widths (KNOTS,) from 0 to WIDEST, and correlations (KNOTS, 4) over 0 to 3 voxels of noise of such a grain."""
    widths = torch.linspace(0, WIDEST, KNOTS, device=device)
    kernels = gaussian_kernels(widths, REACH)
    padded = F.pad(kernels, (0, 3))
    shifted = torch.stack([padded[:, lag : lag + kernels.shape[1]] for lag in range(4)], dim=1)
    products = (kernels[:, None] * shifted).sum(dim=2)
    return widths, products / products[:, :1]


def _of_differences(correlations: torch.Tensor) -> torch.Tensor:
    """Covariance (KNOTS, 2) over 0 and 1 voxels of the second differences of noise that has these correlations."""
    zero, one, two, three = correlations.unbind(dim=1)
    return torch.stack([6 * zero - 8 * one + 2 * two, 7 * one - 4 * zero - 4 * two + three], dim=1)


def _looked_up(values: torch.Tensor, places: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """What a table has for values of any shape: its entries (KNOTS,) at ascending places."""
    return through_curves(values[None], torch.stack([places, found])[None])[0]


def _local_means(images: torch.Tensor, radius: int) -> torch.Tensor:
    """Means over squares of the plane, borders replicated."""
    size = (2 * radius + 1, 2 * radius + 1, 1)
    return F.avg_pool3d(F.pad(images, (0, 0, *(radius,) * 4), mode="replicate"), size, 1)


def _sampled(images: torch.Tensor) -> torch.Tensor:
    """(B, SAMPLE or fewer) voxels; the step is odd, so that it does not stay in a column of even length."""
    voxels = images.flatten(1)
    step = -(-voxels.shape[1] // SAMPLE)
    return voxels[:, :: step if step == 1 else step | 1]
