"""Held pictures back on the clip's own clock: N frames in, factor · N frames out, as for any clip.

The network raises the rate of the pictures, not of the frames. Each picture fills its own span of
time (`Duplicates.starts`), cut into equal parts, one per frame that the ladder makes of it. An
output frame is the mean of those over its own exposure: where one of them covers it, that frame
itself; where a border lies inside, both by their shares. So averaging the output over a picture's
span gives back the picture, which is the re-blur invariant of a held clip.
"""

import bisect
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np

from tsr.core.ladder import FACTORS
from tsr.core.tiling import Span
from tsr.pipeline.changes import Frame
from tsr.pipeline.duplicates import Duplicates


def ladder_factor(duplicates: Duplicates, factor: int) -> int:
    """How many frames the ladder makes of each picture: enough for the time it usually fills, or as
    many as are on offer."""
    if not duplicates.held:
        return factor
    ends = (*duplicates.starts, duplicates.end)
    spans = sorted(later - earlier for earlier, later in pairwise(ends))
    wanted = factor * spans[len(spans) // 2]
    return next((on_offer for on_offer in FACTORS if on_offer >= wanted), FACTORS[-1])


def pictures_within(duplicates: Duplicates, frames: Span) -> Span:
    """The pictures [first, last) whose spans reach into the frames."""
    first = bisect.bisect_right(duplicates.starts, frames[0]) - 1
    return max(first, 0), bisect.bisect_left(duplicates.starts, frames[1])


def on_clip_time(
    made: Iterable[Frame],
    duplicates: Duplicates,
    frames: Span,
    made_factor: int,
    factor: int,
) -> Iterator[Frame]:
    """Frames of the pictures' rate → `factor` output frames for each of the input frames.

    Args:
        made: `made_factor` frames (3, H, W) of each picture within the frames (`pictures_within`),
            in order; two are held at a time.
        frames: input frames [first, last).
    """
    spans = zip(made, _part_ends(duplicates, frames, made_factor), strict=False)
    frame, end = next(spans)
    for number in range(frames[0] * factor, frames[1] * factor):
        at, stop = Fraction(number, factor), Fraction(number + 1, factor)
        mean = np.zeros_like(frame)
        while at < stop:
            while end <= at and (following := next(spans, None)) is not None:
                frame, end = following
            upto = min(stop, end) if end > at else stop  # the last frame lasts to the end
            mean += frame * np.float32((upto - at) * factor)
            at = upto
        yield mean


def _part_ends(duplicates: Duplicates, frames: Span, made_factor: int) -> Iterator[Fraction]:
    """When each frame of the ladder ends, in frames of the clip."""
    first, last = pictures_within(duplicates, frames)
    ends = (*duplicates.starts, duplicates.end)
    for start, stop in pairwise(ends[first : last + 1]):
        for part in range(1, made_factor + 1):
            yield start + (stop - start) * part / made_factor
