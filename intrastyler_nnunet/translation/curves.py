"""Piecewise linear maps of numbers, another one for each image."""

import torch


def through_curves(images: torch.Tensor, curves: torch.Tensor) -> torch.Tensor:
    """The values of curves (N, 2, K) at intensities (N, ...): linear between knots, constant beyond.

    A curve's first row has its K knots, ascending, the second one its values there.
    """
    places, values = curves.to(images).unbind(1)
    flat = images.flatten(1).contiguous()
    right = torch.searchsorted(places.contiguous(), flat).clamp(1, places.shape[1] - 1)
    (x0, x1), (y0, y1) = ((knots.gather(1, right - 1), knots.gather(1, right)) for knots in (places, values))
    share = ((flat - x0) / (x1 - x0).clamp(min=1e-6)).clamp(0, 1)
    return torch.lerp(y0, y1, share).view_as(images)
