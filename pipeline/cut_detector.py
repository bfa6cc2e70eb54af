"""PySceneDetect's adaptive detector, fed picture by picture, without flashes among its cuts.

A cut is a change of content several times as large as the changes around it. PySceneDetect's plain
`ContentDetector` compares with a fixed threshold instead, which a whip pan or a fast subject passes
at every frame. Here it is handed small frames of our own reader, so that frame numbers are ours and
nothing is decoded by a second library.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from tsr.pipeline.thumbs import Thumb, grey

WINDOW = 2
"""Changes on either side that a change is compared with; the detector's default. Also the longest
flash in frames, since that is how far it looks ahead."""

RATIO = 2.5
"""How many times as large as those around it a change is at a cut. Real fast clips reach 1.7, also
at an eighth of their frame rate, and cuts between them 3.9 at least. Two equal changes, as where an
end is mirrored or a shot has two frames, give at most 4."""

STILL = 4
"""Largest change of a thumbnail's pixel, in steps of 8 bits, in a frame that repeats the last."""


class CutDetector:
    """Finds the pictures that begin a new shot; a few thumbnails are held."""

    def __init__(self) -> None:
        from scenedetect.detectors import AdaptiveDetector

        # Of grey and dark pixels the hue is noise, and it jumps where they turn black.
        weights = AdaptiveDetector.Components(delta_hue=0.0)
        self._detector = AdaptiveDetector(
            RATIO, min_scene_len=0, window_width=WINDOW, weights=weights
        )
        self._latest: deque[tuple[int, Thumb]] = deque(maxlen=WINDOW + 1)
        self._seen: deque[tuple[int, Thumb]] = deque(maxlen=WINDOW + 2)  # as fed
        self._taken = self._fed = self._flash_ends = 0
        self._cuts: list[int] = []

    def add(self, frame: int, thumb: Thumb) -> None:
        """Take in the picture that begins with this frame."""
        self._latest.append((frame, thumb))
        self._taken += 1
        if self._taken == WINDOW + 1:
            self._begin()
        elif self._taken > WINDOW + 1:
            self._feed(frame, thumb)

    def cuts(self) -> list[int]:
        """The frames that begin a new shot, when all pictures were taken in."""
        if self._taken <= WINDOW:
            self._begin()
        self._feed_mirrored(list(self._latest)[-2::-1])
        return self._cuts

    def _begin(self) -> None:
        """`WINDOW` mirrored neighbours stand before the first picture and behind the last: a cut
        next to an end is then judged by as many changes as any other."""
        first = list(self._latest)
        self._feed_mirrored(first[:0:-1])
        for frame, thumb in first:
            self._feed(frame, thumb)

    def _feed_mirrored(self, pictures: list[tuple[int, Thumb]]) -> None:
        for _, thumb in pictures:
            self._feed(0, thumb)  # nothing is cut at 0

    def _feed(self, frame: int, thumb: Thumb) -> None:
        from scenedetect.common import FrameTimecode

        self._seen.append((frame, thumb))
        found = self._detector.process_frame(FrameTimecode(self._fed, 1.0), thumb)
        self._fed += 1
        # The detector's answer is about the picture that lies `WINDOW` behind: seen[1].
        if not found or len(self._seen) < WINDOW + 2:
            return
        cut, back = self._seen[1][0], _flash_length([thumb for _, thumb in self._seen])
        if back:
            self._flash_ends = self._seen[1 + back][0]
        elif cut > self._flash_ends and cut > (self._cuts[-1] if self._cuts else 0):
            self._cuts.append(cut)


def _flash_length(thumbs: list[Thumb]) -> int:
    """How many frames after the second one, where the light changes, the first one's picture is
    back; 0 when it does not come back or when what changes is more than light.

    Light is added everywhere or taken away everywhere; of an inserted picture, some places are
    brighter and some darker.
    """
    before, changed, *later = (grey(thumb) for thumb in thumbs)
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
