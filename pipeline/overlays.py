"""Static overlays: logos, captions and displays laid over a moving picture keep their own pixels.

Nothing can be found between frames in a pixel that never changes, but the network, which sees
movement beside it, changes it all the same. So what stays the same over a shot although its
neighbourhood moves is taken from the input. A resting background is left to the network: it changes
little there, and what moves beside it may touch it for less than a frame.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.pipeline.changes import Frame

Mask = NDArray[np.bool_]
"""(H, W)."""
Plane = NDArray[np.float32]
"""(H, W) float32."""

REACH = 32
"""Pixels to which movement is felt: twice the network's 8 pixels of halo, at half size."""

MIN_FRAMES = 12
"""Fewest frames in which a pixel's staying the same says something."""

ROUNDING = 3 / 12 / 255**2
"""Variance of what never changes: three times that of rounding to 8 bits."""

STILL, NEARLY_STILL, MOVING = 64, 16, 4
"""How many times less than its neighbourhood a pixel varies: an eighth, a quarter and a half of the
amplitude. What shines through 87 % opacity is an eighth, and so counts as still."""

BAND = 3
"""Pixels around a region in which most must move: sharp edges, and motion on all sides."""

ENCLOSED = 0.7
"""Part of the band that must move. A resting background moves on one side only, and may be touched
for an instant by what moves beside it; flat places in a moving picture end by and by."""

LARGEST = 0.25
"""Part of the frame that an overlay may cover."""


@dataclass
class PixelStatistics:
    """Mean and variance of every pixel over the frames seen so far, in constant memory."""

    count: int = 0
    first: Frame | None = None
    total: Frame | None = None
    squares: Frame | None = None

    def add(self, frame: Frame) -> None:
        """Take in one frame; deviations from the first one are summed, for precision."""
        if self.first is None or self.total is None or self.squares is None:
            self.first = frame.copy()
            self.total, self.squares = np.zeros_like(frame), np.zeros_like(frame)
        else:
            step = frame - self.first
            self.total += step
            self.squares += step * step
        self.count += 1

    def variance(self) -> Plane:
        """(H, W): of the colour channel that varies most; at least one frame was added."""
        assert self.total is not None
        assert self.squares is not None
        channels = self.squares / self.count - (self.total / self.count) ** 2
        return np.asarray(np.maximum(channels, 0).max(axis=0))


def find_overlay(frames: Iterable[Frame]) -> Mask | None:
    """The pixels of a shot that stay the same while what is around them moves (`overlay_of`)."""
    seen = PixelStatistics()
    for frame in frames:
        seen.add(frame)
    return overlay_of(seen)


def overlay_of(seen: PixelStatistics) -> Mask | None:
    """The overlay of the frames seen; None if there is none, or too few frames to tell.

    Pixels that hang together and vary a quarter as much as their neighbourhood, as where an encoder
    disturbs a logo, are an overlay if most of them vary an eighth as much or not at all, and what
    moves surrounds them closely. Edges that mix with the picture behind, and logos that let it
    through, move with it and are left to the network; so is an overlay under noise as strong as an
    eighth of the motion around it.
    """
    if seen.count < MIN_FRAMES:
        return None
    variance = seen.variance()
    around = _box_mean(variance, REACH)
    mask = _regions(
        variance <= ROUNDING + around / NEARLY_STILL,
        still=variance <= ROUNDING + around / STILL,
        moving=variance > around / MOVING,
    )
    return mask if mask.any() else None


def _regions(nearly: Mask, *, still: Mask, moving: Mask) -> Mask:
    """Those connected regions of `nearly` still pixels, three or more and no more than `LARGEST` of
    the frame, of which most are still and around which most pixels move."""
    import cv2

    count, labels = cv2.connectedComponents(nearly.astype(np.uint8))
    square = np.ones((2 * BAND + 1, 2 * BAND + 1), np.uint8)
    around = cv2.dilate(labels.astype(np.float32), square).astype(np.intp)
    around[nearly] = 0

    def number(of: Mask, regions: NDArray[Any] = labels) -> NDArray[np.intp]:
        return np.bincount(regions[of], minlength=count)

    size, outside = number(nearly), around > 0
    kept = (number(still) > size / 2) & (size >= 3) & (size <= LARGEST * nearly.size)
    kept &= number(moving & outside, around) > ENCLOSED * number(outside, around)
    return np.asarray(kept[labels] & nearly)


def keep_overlay(made: Iterable[Frame], frame: Frame, mask: Mask) -> Iterator[Frame]:
    """Put an input frame's own pixels back into the output frames made of it.

    The output's mean over the exposure stays what it was outside the mask, and is the input frame
    inside. The mask needs no soft edge: it ends where pixels begin to change by themselves.
    """
    for output in made:
        yield np.where(mask, frame, output)


def _box_mean(plane: NDArray[np.generic], reach: int) -> Plane:
    """Mean over the rows and columns up to `reach` away from each pixel, inside the frame."""
    values = plane.astype(np.float64)
    for axis in (0, 1):
        size = values.shape[axis]
        sums = np.insert(np.cumsum(values, axis=axis), 0, 0, axis=axis)
        last = np.minimum(np.arange(size) + reach + 1, size)
        first = np.maximum(np.arange(size) - reach, 0)
        counts = (last - first).reshape((-1, 1) if axis == 0 else (1, -1))
        values = (sums.take(last, axis) - sums.take(first, axis)) / counts
    return values.astype(np.float32)
