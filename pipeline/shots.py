"""Where a video is cut into shots, to the frame.

`cut_detector` decides by how much a picture changes against the changes around it. What this module
adds is which frames are pictures at all: between repeats, which change nothing, every new picture
of an animation would look like a cut.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tsr.core.clip_io import ClipInfo, ClipReader
from tsr.pipeline.changes import Frame
from tsr.pipeline.cut_detector import STILL, CutDetector
from tsr.pipeline.duplicates import LONGEST_CADENCE, LONGEST_HOLD
from tsr.pipeline.thumbs import COLOUR_LEVELS, Thumb, colour_counts, in_common, thumbnail

RULES = 2
"""Counts the rules for cuts, so that shots found by earlier ones are not taken from the cache."""

BEATS = 4
"""Pictures in a row that are held for as long as each other, to a frame, make a cadence."""

ALIKE = 0.5
"""Share of the colours in common with the picture before, above which motion may lead from one to
the next, however fast it is; two pictures of a slide show seldom have as much."""


@dataclass(frozen=True)
class Shot:
    """Input frames [start, stop) without a cut inside."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class _Picture:
    """A frame that differs from the one before, and the share of the colours that both have."""

    start: int
    common: float


def find_shots(clip: Path, info: ClipInfo) -> list[Shot]:
    """The shots of a video, in order; together they are all of its frames.

    Hard cuts are found; fades and dissolves are not cut, since there is a true picture between
    their frames. A flash of at most two frames is no cut. Pictures held for more than
    `LONGEST_HOLD` frames are cut from each other (a slide show), unless they come at a constant
    rate and in like colours (every frame of a video repeated eight times). Not found are cuts
    between scenes that differ in hue alone, or around a shot of two frames that themselves move
    fast.

    Raises:
        ClipError: the video cannot be read.
    """
    with ClipReader(clip, info) as frames:
        return shots_from(find_cuts(frames), info.num_frames)


def shots_from(cuts: Iterable[int], num_frames: int) -> list[Shot]:
    """The shots between cuts, each the first frame of a new shot."""
    return [Shot(*ends) for ends in itertools.pairwise([0, *cuts, num_frames])]


def find_cuts(frames: Iterable[Frame]) -> list[int]:
    """Numbers of the frames that begin a new shot; frame 0 is not among them.

    Two detectors look: one sees that a scene rests when nothing changes for `LONGEST_HOLD` frames,
    the other sees pictures alone. Where pictures follow each other on a slow beat, only what the
    second finds is a cut. Memory is bounded by a few thumbnails and two numbers per picture.
    """
    resting, pictures_alone = CutDetector(), CutDetector()
    pictures: list[_Picture] = []
    last: Thumb | None = None
    last_colours = np.zeros(COLOUR_LEVELS**3)
    repeats = total = 0
    for number, frame in enumerate(frames):
        total += 1
        thumb = thumbnail(frame)
        if last is None or _largest_change(thumb, last) > STILL:
            colours = colour_counts(thumb) / (thumb.size // 3)
            pictures.append(_Picture(number, in_common(colours, last_colours)))
            last_colours = colours
            pictures_alone.add(number, thumb)
            repeats = 0
        else:
            repeats += 1
            if repeats < LONGEST_HOLD:
                continue  # nothing is lost: the next frame is compared with the last one seen
        last = thumb
        resting.add(number, thumb)
    beats = set(_slow_beats(pictures, total))
    kept = beats.intersection(pictures_alone.cuts())
    return [cut for cut in resting.cuts() if cut not in beats or cut in kept]


def _largest_change(a: Thumb, b: Thumb) -> int:
    return int(np.abs(a.astype(np.int16) - b).max())


def _slow_beats(pictures: Sequence[_Picture], total: int) -> Iterator[int]:
    """Starts of the pictures on a beat slower than `LONGEST_HOLD`, and of the one behind them.

    On a beat, `BEATS` pictures or more in a row are held for as long as each other, to a frame, and
    most have the colours of the one before.
    """
    starts = [picture.start for picture in pictures]
    holds = [stop - start for start, stop in itertools.pairwise([*starts, total])]
    at = 0
    while at < len(pictures):
        end = at
        while end < len(pictures) and _on_beat([*holds[at:end][-BEATS:], holds[end]]):
            end += 1
        beat = pictures[at : end + 1]
        if end - at >= BEATS and np.median([picture.common for picture in beat[1:]]) > ALIKE:
            yield from (picture.start for picture in beat)
        at = max(end, at + 1)


def _on_beat(holds: Sequence[int]) -> bool:
    """Whether these holds are alike, to a frame, and slow."""
    slow = LONGEST_HOLD < max(holds) <= LONGEST_CADENCE
    return slow and max(holds) - min(holds) <= 1
