"""The video at the coarsest rung of its ladder: what the network is trained on (paper 4.2)."""

import math
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tsr.core.errors import ClipError
from tsr.core.ladder import ScaleLadder
from tsr.core.resize import halving_matrix
from tsr.core.volume import Volume, pad_to_multiple

MIN_FRAMES = 8
"""Fewest frames to learn from: rect_2 and a validation need some motion to be left."""

MAX_FRAMES = 240
"""Most frames to learn from, so that memory does not grow with the video's length."""


def coarse_video(frames: Iterable[NDArray[np.float32]], ladder: ScaleLadder) -> tuple[Volume, str]:
    """Shrink (3, H, W) frames to the ladder's coarsest rung, one at a time.

    Returns:
        The volume (3, T, h, w), at most `MAX_FRAMES` long, and a note on which part was taken
        ('' when all of it).

    Raises:
        ClipError: there are fewer than `MIN_FRAMES` frames.
    """
    kept, first, count = _liveliest(shrunk(frames, ladder))
    if count < MIN_FRAMES:
        raise ClipError(
            f"the video has {count} frame{'s' * (count != 1)}; training needs at "
            f"least {MIN_FRAMES}. Use a longer clip"
        )
    note = ""
    if count > MAX_FRAMES:
        note = (
            f"training on the {MAX_FRAMES} frames with most motion, "
            f"{first} to {first + MAX_FRAMES - 1} of {count}"
        )
    return np.stack(kept, axis=1), note


def shrunk(
    frames: Iterable[NDArray[np.float32]], ladder: ScaleLadder
) -> Iterator[NDArray[np.float32]]:
    """Frames (3, H, W) at the ladder's coarsest rung, (3, h, w)."""
    rows = columns = None
    for frame in frames:
        padded = pad_to_multiple(frame, ladder.multiple)
        if rows is None or columns is None:
            rows = halving_matrix(padded.shape[1], ladder.halvings)
            columns = halving_matrix(padded.shape[2], ladder.halvings).T.copy()
        yield np.matmul(np.matmul(rows, padded), columns)  # (3, h, w)


def _liveliest(
    frames: Iterator[NDArray[np.float32]],
) -> tuple[list[NDArray[np.float32]], int, int]:
    """The window of at most `MAX_FRAMES` frames that changes most.

    Two windows are held at a time, the best and the last, however long the video.

    Returns:
        The window, the number of its first frame, and how many frames there were.
    """
    last: deque[NDArray[np.float32]] = deque(maxlen=MAX_FRAMES)
    changes: deque[float] = deque(maxlen=MAX_FRAMES - 1)
    best: list[NDArray[np.float32]] = []
    most, first, count = -1.0, 0, 0
    for frame in frames:
        if last:
            changes.append(float(np.abs(frame - last[-1]).mean()))
        last.append(frame)
        count += 1
        change = math.fsum(changes)
        if count <= MAX_FRAMES or change > most:
            best, most, first = list(last), change, max(0, count - MAX_FRAMES)
    return best, first, count
