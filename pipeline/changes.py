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


NOISE_SIDE = 256
"""Side in pixels of the middle of a frame that noise is estimated from."""


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
    """Measures frame by frame; one frame is held."""

    def __init__(self) -> None:
        self._largest: list[float] = []
        self._noise: list[float] = []
        self._before: Frame | None = None

    def add(self, frame: Frame) -> None:
        """Take in the next frame."""
        before, self._before = self._before, frame
        self._largest.append(math.inf if before is None else _largest_change(frame, before))
        self._noise.append(_noise(frame))

    def changes(self) -> Changes:
        """Of the frames so far."""
        return Changes(largest=np.array(self._largest), noise=np.array(self._noise))


def _largest_change(frame: Frame, before: Frame) -> float:
    squares = ((frame - before) ** 2).mean(axis=0)  # (H, W)
    rows, columns = (np.arange(0, size, BLOCK) for size in squares.shape)
    sums = np.add.reduceat(np.add.reduceat(squares, rows, axis=0), columns, axis=1)
    heights, widths = (
        np.diff(np.append(at, size))
        for at, size in zip((rows, columns), squares.shape, strict=True)
    )
    return float(255**2 * (sums / np.outer(heights, widths)).max())


def _noise(frame: Frame) -> float:
    """Noise variance by Immerkær (1996): the difference of two Laplacians, which vanishes on edges
    and gradients; its median instead of its mean, so that texture counts less."""
    top, left = (max(0, size // 2 - NOISE_SIDE // 2) for size in frame.shape[1:])
    middle = 255 * frame[:, top : top + NOISE_SIDE, left : left + NOISE_SIDE]
    rows = middle[:, :-2] - 2 * middle[:, 1:-1] + middle[:, 2:]
    both = rows[..., :-2] - 2 * rows[..., 1:-1] + rows[..., 2:]  # 6 times the noise's deviation
    return float((np.median(np.abs(both)) / (6 * 0.6745)) ** 2)
