"""Drawing by formula: pixel grids, anti-aliased coverage and smooth noise.

Coordinates are in units of the frame's height: y runs down from 0 to 1, x from 0 to width / height,
so that a scene looks the same at any size. Shapes are signed distances (negative inside); a
pixel's coverage is its distance clipped over one pixel, exact for straight edges.
"""

import functools

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating]
"""One value per pixel: (H, W) float32, or whatever broadcasts to it."""
Frame = NDArray[np.float32]
"""(3, H, W) float32 in [0, 1]."""
Colour = tuple[float, float, float]
"""Red, green, blue in [0, 1], gamma-encoded as in a video file."""


@functools.lru_cache(maxsize=8)
def grid(height: int, width: int) -> tuple[Field, Field]:
    """The pixel centres: y (H, 1) and x (1, W) float32."""
    y = ((np.arange(height) + 0.5) / height).astype(np.float32)
    x = ((np.arange(width) + 0.5) / height).astype(np.float32)
    return y[:, None], x[None, :]


def coverage(distance: Field, pixel: float) -> Field:
    """How much of each pixel a shape covers, in [0, 1].

    Args:
        distance: signed distance of each pixel centre to the shape's edge, negative inside.
        pixel: the side of a pixel in the same unit.
    """
    return np.asarray(np.clip(np.float32(0.5) - distance / np.float32(pixel), 0, 1))


def box(y: Field, x: Field, top: float, left: float, bottom: float, right: float) -> Field:
    """Signed distance to an upright rectangle (outside corners stay sharp)."""
    outside = np.maximum(np.maximum(top - y, y - bottom), np.maximum(left - x, x - right))
    return np.asarray(outside)


def paint(frame: Frame, alpha: Field, colour: Colour | Frame) -> None:
    """Lay a colour, or another frame, over `frame` in place with opacity `alpha` (H, W)."""
    layer = np.asarray(colour, np.float32)
    if layer.ndim == 1:
        layer = layer[:, None, None]
    frame += alpha * (layer - frame)


def noise(y: Field, x: Field, seed: int) -> Field:
    """Smooth noise in [0, 1] with one feature per unit, the same for the same seed.

    Values on a lattice that repeats every 64 units, blended by the smoothstep 3t² - 2t³.
    """
    lattice = _lattice(seed)
    row, column = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    fy, fx = y - row, x - column
    fy, fx = fy * fy * (3 - 2 * fy), fx * fx * (3 - 2 * fx)
    top = _between(lattice[row & 63, column & 63], lattice[row & 63, (column + 1) & 63], fx)
    row = row + 1
    bottom = _between(lattice[row & 63, column & 63], lattice[row & 63, (column + 1) & 63], fx)
    return _between(top, bottom, fy)


def layered_noise(y: Field, x: Field, seed: int, octaves: int = 4) -> Field:
    """Noise with details: each octave has twice the frequency and half the strength. In [0, 1]."""
    total = np.zeros(np.broadcast_shapes(y.shape, x.shape), np.float32)
    for octave in range(octaves):
        total += noise(y * 2**octave, x * 2**octave, seed + octave) * 0.5 ** (octave + 1)
    return total / np.float32(1 - 0.5**octaves)


def _between(a: Field, b: Field, share: Field) -> Field:
    return np.asarray(a + (b - a) * share, np.float32)


@functools.cache
def _lattice(seed: int) -> Field:
    return np.random.default_rng(seed).random((64, 64), dtype=np.float32)
