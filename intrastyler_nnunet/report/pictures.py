"""Slices of volumes as images inside the page."""

import base64
import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

THUMBNAIL, PICTURE, PANEL = 160, 256, 1000  # pixels, the longer side at most: hundreds must fit into one file
QUALITY = 80
VOXELS = 1_500_000  # of a volume in the page, at most


def slice_picture(volume: torch.Tensor, level: int, size: int) -> str:
    """The through-plane slice `level` of (1, 1, X, Y, Z) in [-1, 1], anterior up, as a data URI."""
    grey = (volume[0, 0, :, :, level].float().cpu().numpy().T + 1) * 127.5
    return _data_uri(Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)), size)


def voxels_of(volume: torch.Tensor, spacing: tuple[float, ...]) -> dict:
    """(1, 1, X, Y, Z) in [-1, 1] for the viewer: one byte a voxel, shape, and extent in mm; large ones coarser."""
    extent = [count * step for count, step in zip(volume.shape[2:], spacing, strict=True)]
    while volume.numel() > VOXELS:
        longest = int(np.argmax(volume.shape[2:]))
        volume = torch.nn.functional.avg_pool3d(volume, tuple(2 if axis == longest else 1 for axis in range(3)))
    grey = ((volume[0, 0].float().cpu().numpy() + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return {"shape": list(grey.shape), "extent": extent, "voxels": base64.b64encode(grey.tobytes()).decode()}


def file_picture(path: Path) -> str:
    """An image file, in shades of grey, as a data URI."""
    with Image.open(path) as image:
        return _data_uri(image.convert("L"), PANEL)


def fullest_level(labels: np.ndarray) -> int:
    """The slice along the first axis with most labelled structures, then with most of their voxels."""
    counts = [np.bincount(plane[plane > 0].astype(int).ravel()) for plane in labels]
    return max(range(len(counts)), key=lambda level: ((counts[level] > 0).sum(), counts[level].sum()))


def _data_uri(image: Image.Image, size: int) -> str:
    image.thumbnail((size, size))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
