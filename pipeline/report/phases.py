"""Local phase: how each structure of a frame moves on to the next, place by place.

A bank of complex filters (log-Gabor; Fleet and Jepson 1990) in four directions and four periods an
octave apart. Between two frames the phase of a response turns by the way that its structure went,
in periods; between two neighbouring pixels by its spatial frequency.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WIDTH = 480
"""Frames are averaged down to at most this width; finer structures are not looked at."""
CELL = 16
"""Side of a place, in pixels of the smaller frame."""
PERIOD = 6.0
"""Shortest period of the bank, in the same pixels; each of `LEVELS` doubles it."""
LEVELS = 4
DIRECTIONS = 4
"""0, 45, 90 and 135 degrees, clockwise from rightwards on the screen."""
BANDWIDTH = 0.75
"""Spread of a log-Gabor filter along frequency: of its neighbour an octave away it sees 6 %."""
SPREAD = np.pi / 8
"""Spread of a filter over directions, in radians."""

Responses = list[NDArray[np.complex64]]
"""Per level, finest first: (directions, H, W)."""
Field = NDArray[np.float64]
"""(levels, directions, rows, columns): a value per filter and place."""


class Step(NamedTuple):
    """From one frame to the next."""

    turn: Field
    """Periods forward."""
    coherent: Field
    """Share of the energy that moves as one."""
    strength: Field
    """Mean squared amplitude."""
    change: Field
    """Mean squared change."""


def responses(frame: NDArray[np.float32], reduction: int) -> Responses:
    """The filter bank on one (3, H, W) frame."""
    image = _averaged(frame.mean(axis=0), reduction)
    # Whole places only, on all levels.
    height, width = (side // CELL * CELL for side in image.shape)
    image = image[:height, :width]
    found = []
    for _ in range(LEVELS):
        spectrum = np.fft.fft2(image)
        waves = np.fft.ifft2(spectrum * _bank(image.shape))
        found.append(waves.astype(np.complex64))
        image = _averaged(image, 2)
    return found


def reduction_for(height: int, width: int) -> int:
    """Pixels of the video per pixel of the smaller frame."""
    return max(1, -(-max(height, width) // WIDTH))


def large_enough(height: int, width: int) -> bool:
    """Whether a frame holds at least four places on each axis."""
    return min(height, width) // reduction_for(height, width) >= 4 * CELL


def _averaged(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    height, width = (side // factor * factor for side in image.shape)
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


@cache
def _bank(shape: tuple[int, int]) -> NDArray[np.float32]:
    """(directions, H, W): one-sided log-Gabor filters of `PERIOD` for `np.fft.ifft2`."""
    down = np.fft.fftfreq(shape[0])[:, None]
    right = np.fft.fftfreq(shape[1])[None]
    frequency = np.hypot(down, right)
    frequency[0, 0] = 1.0  # no filter passes the mean
    radial = np.exp(-(np.log(frequency * PERIOD) ** 2) / (2 * np.log(BANDWIDTH) ** 2))
    radial[0, 0] = 0.0
    filters = []
    for direction in range(DIRECTIONS):
        off = np.angle(np.exp(1j * (np.arctan2(down, right) - np.pi * direction / DIRECTIONS)))
        # The factor 2 makes the response's size the amplitude of a cosine.
        filters.append(2 * radial * np.exp(-(off**2) / (2 * SPREAD**2)) * (np.abs(off) < np.pi / 2))
    return np.stack(filters).astype(np.float32)


def _per_place(level: int, values: NDArray[Any]) -> NDArray[Any]:
    """The mean of (directions, H, W) over each place: (directions, rows, columns)."""
    side = CELL >> level
    directions, height, width = values.shape
    blocks = values.reshape(directions, height // side, side, width // side, side)
    means: NDArray[Any] = blocks.mean(axis=(2, 4))
    return means


def _each(function: Callable[[int], NDArray[Any]]) -> NDArray[Any]:
    """The levels' values together."""
    return np.stack([function(level) for level in range(LEVELS)])


def step(a: Responses, b: Responses) -> Step:
    product = _each(lambda n: _per_place(n, a[n] * np.conj(b[n])))
    sizes = _each(lambda n: _per_place(n, np.abs(a[n]) * np.abs(b[n])))
    change = _each(lambda n: _per_place(n, np.abs(b[n] - a[n]) ** 2))
    return Step(
        turn=np.angle(product) / (2 * np.pi),  # a wave that moves forward loses phase at a place
        coherent=np.abs(product) / np.maximum(sizes, 1e-12),
        strength=sizes,
        change=change,
    )


def frequencies(waves: Responses) -> tuple[Field, Field]:
    """The structures' own spatial frequency to the right and down, in periods per pixel."""

    def turning(axis: int) -> Field:
        products = _each(
            lambda n: _per_place(n, np.roll(waves[n], -1, axis=axis) * np.conj(waves[n]))
        )
        pixel = 2.0 ** np.arange(LEVELS)[:, None, None, None]
        return np.asarray(np.angle(products) / (2 * np.pi) / pixel)

    return turning(-1), turning(-2)
