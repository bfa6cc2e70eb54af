"""How much each frame of a video differs from the one before, and how much of that may be noise."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.float32]
"""(3, H, W) float32 in [0, 1]."""
Values = NDArray[np.float64]

BLOCK = 16
"""Side in pixels of the squares whose change is measured: the largest counts, so that a small thing
that moves is not lost in a still frame."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How much each frame differs from the one before.

    Args:
        largest: (N,) mean square change of the block that changes most, in 8-bit steps²; infinite
            for the first frame.
        noise: (N,) the frame's own noise variance in 8-bit steps², estimated from its details.
    """

    largest: Values
    noise: Values

    def part(self, start: int, stop: int) -> "Changes":
        """Those of the frames [start, stop) by themselves."""
        largest = self.largest[start:stop].copy()
        largest[:1] = np.inf
        return Changes(largest=largest, noise=self.noise[start:stop])


def measure(frames: Iterable[Frame]) -> Changes:
    """The changes of consecutive frames; two are held at a time."""
    meter = Meter()
    for frame in frames:
        meter.add(frame)
    return meter.changes()


class Meter:
    """Measures frame by frame, on the mean of the colour channels."""

    def __init__(self) -> None:
        self._largest: list[float] = []
        self._noise: list[float] = []
        self._before: NDArray[np.float32] | None = None

    def add(self, frame: Frame) -> None:
        """Take in the next frame."""
        grey = 255 * frame.mean(axis=0)
        before, self._before = self._before, grey
        self._largest.append(math.inf if before is None else _largest_change(grey, before))
        self._noise.append(_noise(grey))

    def changes(self) -> Changes:
        """Of the frames so far."""
        return Changes(largest=np.array(self._largest), noise=np.array(self._noise))


def _largest_change(grey: NDArray[np.float32], before: NDArray[np.float32]) -> float:
    squares = (grey - before) ** 2
    rows, columns = (np.arange(0, size, BLOCK) for size in squares.shape)
    sums = np.add.reduceat(np.add.reduceat(squares, rows, axis=0), columns, axis=1)
    heights, widths = (
        np.diff(np.append(at, size)) for at, size in zip((rows, columns), grey.shape, strict=True)
    )
    return float((sums / np.outer(heights, widths)).max())


def _noise(grey: NDArray[np.float32]) -> float:
    """Noise variance by Immerkær (1996): the difference of two Laplacians, which vanishes on edges
    and gradients; its median instead of its mean, so that texture counts less."""
    rows = grey[:-2] - 2 * grey[1:-1] + grey[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]  # 6 times the noise's deviation
    return float((np.median(np.abs(both)) / (6 * 0.6745)) ** 2)
