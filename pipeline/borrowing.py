"""Which shot's network serves a shot that is too short for one of its own: a similar one's."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import ClipInfo, ClipReader
from tsr.core.tiling import Span

BINS = 8
"""Levels per channel that colours are counted by."""

SIMILAR = 0.5
"""Share of the colours that two shots must have in common. Another take of a scene has most of
them, another scene few; a network is no better than interpolation on what it has never seen."""

Look = NDArray[np.float64]
"""(BINS ** 3,) shares of a picture's pixels by colour; they sum to 1."""


def looks(clip: ClipInfo, shots: Sequence[Span]) -> dict[Span, Look]:
    """How the middle frame of each shot looks. The video is read once."""
    middles = {(first + last) // 2: (first, last) for first, last in shots}
    found = {}
    with ClipReader(clip.path, clip) as reader:
        for n, frame in zip(range(max(middles) + 1), reader, strict=False):
            if n in middles:
                found[middles[n]] = look(frame)
    return found


def look(frame: NDArray[np.float32]) -> Look:
    """The colours of a frame (3, H, W) in [0, 1]."""
    red, green, blue = np.minimum((frame * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(((red * BINS + green) * BINS + blue).ravel(), minlength=BINS**3)
    shares: Look = counts / counts.sum()
    return shares


def lender(shot: Span, trained: Sequence[Span], look_of: Mapping[Span, Look]) -> Span | None:
    """The longest of the trained shots that looks like `shot`; None if none does."""
    similar = [
        other for other in trained if np.minimum(look_of[shot], look_of[other]).sum() >= SIMILAR
    ]
    return max(similar, key=lambda span: span[1] - span[0], default=None)
