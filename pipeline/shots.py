"""Where a video is cut into shots, to the frame.

PySceneDetect's `AdaptiveDetector` decides: a cut is a change of content several times as large as
the changes around it. Its plain `ContentDetector` compares with a fixed threshold instead, which a
whip pan or a fast subject passes at every frame. Here it is handed small frames of our own reader,
so that frame numbers are ours and nothing is decoded by a second library.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import ClipInfo, ClipReader
from tsr.pipeline.changes import Frame
from tsr.pipeline.duplicates import LONGEST_HOLD

Thumb = NDArray[np.uint8]
"""(h, w, 3) 8-bit blue, green, red: what the detector reads."""

THUMB_SIDE = 90
"""Shorter side in pixels that a frame is reduced to at least: sensor noise and small motion average
out, a change of content does not."""

PEDESTAL = 32
"""Level of black in a thumbnail, in steps of 8 bits. Saturation means nothing in the dark: without
it the black between two fades looks like a cut."""

WINDOW = 2
"""Changes on either side that a change is compared with; the detector's default. Also the longest
flash in frames, since that is how far it looks ahead."""

RATIO = 2.5
"""How many times as large as those around it a change is at a cut. Real fast clips reach 1.7, also
at an eighth of their frame rate, and cuts between them 3.9 at least. Two equal changes, as where an
end is mirrored or a shot has two frames, give at most 4."""

STILL = 4
"""Largest change of a thumbnail's pixel, in steps of 8 bits, in a frame that repeats the last.
Nothing is lost with what is passed over: the next frame is compared with the last one seen."""


@dataclass(frozen=True)
class Shot:
    """Input frames [start, stop) without a cut inside."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def find_shots(clip: Path, info: ClipInfo) -> list[Shot]:
    """The shots of a video, in order; together they are all of its frames.

    Hard cuts are found; fades and dissolves are not cut, since there is a true picture between
    their frames. A flash of at most `WINDOW` frames is no cut. Not found are cuts between scenes
    that differ in hue alone, or around a shot of two frames that themselves move fast.

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

    Memory is bounded by a few thumbnails.
    """
    from scenedetect.common import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector

    # Of grey and dark pixels the hue is noise, and it jumps where they turn black.
    weights = AdaptiveDetector.Components(delta_hue=0.0)
    detector = AdaptiveDetector(RATIO, min_scene_len=0, window_width=WINDOW, weights=weights)
    seen: deque[tuple[int, Thumb]] = deque(maxlen=WINDOW + 2)  # (frame, thumbnail)
    cuts: list[int] = []
    flash_ends = 0
    for count, (number, thumb) in enumerate(_mirrored_ends(_changing(frames))):
        seen.append((number, thumb))
        # The detector's answer is about the frame that lies `WINDOW` behind: seen[1].
        if not detector.process_frame(FrameTimecode(count, 1.0), thumb) or len(seen) < WINDOW + 2:
            continue
        cut, back = seen[1][0], _flash_length([thumb for _, thumb in seen])
        if back:
            flash_ends = seen[1 + back][0]
        elif cut > flash_ends and cut > (cuts[-1] if cuts else 0):
            cuts.append(cut)
    return cuts


def thumbnail(frame: Frame) -> Thumb:
    """Means of square blocks, such that the shorter side has `THUMB_SIDE` pixels or some more."""
    block = max(1, min(frame.shape[1:]) // THUMB_SIDE)
    rows, columns = frame.shape[1] // block, frame.shape[2] // block
    cropped = frame[:, : rows * block, : columns * block]
    means = cropped.reshape(3, rows, block, columns, block).mean(axis=(2, 4))
    levels = np.rint(PEDESTAL + (255 - PEDESTAL) * means[::-1])
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(1, 2, 0))


def _changing(frames: Iterable[Frame]) -> Iterator[tuple[int, Thumb]]:
    """Frame numbers and thumbnails without the repeats of held pictures.

    Between repeats, which change nothing, every new picture of an animation would look like a cut.
    """
    last: Thumb | None = None
    repeats = 0
    for number, frame in enumerate(frames):
        thumb = thumbnail(frame)
        if (
            last is not None
            and repeats < LONGEST_HOLD - 1
            and _largest_change(thumb, last) <= STILL
        ):
            repeats += 1
            continue
        repeats = 0 if last is None or _largest_change(thumb, last) > STILL else repeats
        last = thumb
        yield number, thumb


def _largest_change(a: Thumb, b: Thumb) -> int:
    return int(np.abs(a.astype(np.int16) - b).max())


def _mirrored_ends(thumbs: Iterable[tuple[int, Thumb]]) -> Iterator[tuple[int, Thumb]]:
    """`WINDOW` mirrored neighbours before the first and behind the last (numbered 0 there, where
    nothing is cut): a cut next to an end is then judged by as many changes as any other."""
    thumbs = iter(thumbs)
    first = list(itertools.islice(thumbs, WINDOW + 1))
    yield from ((0, thumb) for _, thumb in reversed(first[1:]))
    last: deque[tuple[int, Thumb]] = deque(maxlen=WINDOW + 1)
    for item in itertools.chain(first, thumbs):
        last.append(item)
        yield item
    yield from ((0, thumb) for _, thumb in list(reversed(last))[1:])


def _flash_length(thumbs: list[Thumb]) -> int:
    """How many frames after the second one, where the light changes, the first one's picture is
    back; 0 when it does not come back or when what changes is more than light.

    Light is added everywhere or taken away everywhere; of an inserted picture, some places are
    brighter and some darker.
    """
    before, changed, *later = (thumb.mean(axis=2, dtype=np.float32) for thumb in thumbs)
    change = changed - before
    if min(np.mean(change > STILL), np.mean(change < -STILL)) > 0.1:
        return 0
    for frames, thumb in enumerate(later, start=1):
        near = np.abs(thumb - before).mean() < np.abs(change).mean() / 2
        if near and _correlation(thumb, before) > 0.5:
            return frames
    return 0


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / max(float(a.std() * b.std()), 1e-6))
