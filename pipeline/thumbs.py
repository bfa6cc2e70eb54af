"""Small pictures of frames, in which cuts and looks are judged."""

import numpy as np
from numpy.typing import NDArray

from tsr.pipeline.changes import Frame

Thumb = NDArray[np.uint8]
"""(h, w, 3) 8-bit blue, green, red."""

THUMB_SIDE = 90
"""Shorter side in pixels that a frame is reduced to at least: sensor noise and small motion average
out, a change of content does not."""

PEDESTAL = 32
"""Level of black in a thumbnail, in steps of 8 bits. Saturation means nothing in the dark: without
it the black between two fades looks like a cut."""

COLOUR_LEVELS = 8
"""Levels per channel of a colour histogram: 512 colours (Swain and Ballard 1991 take 2048)."""


def thumbnail(frame: Frame) -> Thumb:
    """Means of square blocks, such that the shorter side has `THUMB_SIDE` pixels or some more."""
    block = max(1, min(frame.shape[1:]) // THUMB_SIDE)
    rows, columns = frame.shape[1] // block, frame.shape[2] // block
    cropped = frame[:, : rows * block, : columns * block]
    means = cropped.reshape(3, rows, block, columns, block).mean(axis=(2, 4))
    levels = np.rint(PEDESTAL + (255 - PEDESTAL) * means[::-1])
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(1, 2, 0))


def grey(thumb: Thumb) -> NDArray[np.float32]:
    """(h, w) means of the channels."""
    return np.asarray(thumb.mean(axis=2, dtype=np.float32))


def colour_counts(thumb: Thumb) -> NDArray[np.int64]:
    """(512,) how many of its pixels have each colour."""
    levels = thumb.reshape(-1, 3).astype(np.intp) * COLOUR_LEVELS // 256
    index = levels @ np.array([COLOUR_LEVELS**2, COLOUR_LEVELS, 1])
    return np.bincount(index, minlength=COLOUR_LEVELS**3)


def in_common(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The share of the colours that two pictures have in common, of (512,) shares each: histogram
    intersection (Swain and Ballard 1991)."""
    return float(np.minimum(a, b).sum())
