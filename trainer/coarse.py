"""The video at the coarsest rung of its ladder: what the network is trained on (paper 4.2)."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

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

MAX_VOXELS = 8_000_000
"""Most frames × rows × columns to learn from, so that memory does not grow with the frame size:
copies of so much take 3 GB, and 4000 steps look at as many voxels as these copies have."""


def coarse_video(frames: Iterable[NDArray[np.float32]], ladder: ScaleLadder) -> tuple[Volume, str]:
    """Shrink (3, H, W) frames to the ladder's coarsest rung, one at a time.

    Returns:
        The volume (3, T, h, w), at most `MAX_FRAMES` long and of `MAX_VOXELS`: the frames with most
        motion, and their liveliest place. And a note on which part was taken ('' when all of it).

    Raises:
        ClipError: there are fewer than `MIN_FRAMES` frames.
    """
    kept, first, count = _liveliest_frames(shrunk(frames, ladder))
    if count < MIN_FRAMES:
        raise ClipError(
            f"the video has {count} frame{'s' * (count != 1)}; training needs at "
            f"least {MIN_FRAMES}. Use a longer clip"
        )
    rows, columns = _liveliest_place(kept)
    video = np.stack([frame[:, rows, columns] for frame in kept], axis=1)
    part = []
    if len(kept) < count:
        last = first + len(kept) - 1
        part.append(f"the {len(kept)} frames with most motion, {first} to {last} of {count}")
    if video.shape[2:] != kept[0].shape[1:]:
        sizes = (f"{width}×{height}" for height, width in (video.shape[2:], kept[0].shape[1:]))
        part.append("their liveliest {} pixels of {}".format(*sizes))
    return video, f"training on {' and '.join(part)}" if part else ""


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


def _most_frames(height: int, width: int) -> int:
    """Frames of this size to learn from: where they are too many voxels, time and both sides are
    cut alike."""
    share = math.cbrt(MAX_VOXELS / (MAX_FRAMES * height * width))
    return max(MIN_FRAMES, round(MAX_FRAMES * min(1, share)))


def _liveliest_frames(
    frames: Iterator[NDArray[np.float32]],
) -> tuple[list[NDArray[np.float32]], int, int]:
    """The window of at most `_most_frames` frames that changes most.

    Two windows are held at a time, the best and the last, however long the video.

    Returns:
        The window, the number of its first frame, and how many frames there were.
    """
    first_frame = next(frames, None)
    if first_frame is None:
        return [], 0, 0
    most = _most_frames(*first_frame.shape[1:])
    last: deque[NDArray[np.float32]] = deque([first_frame], maxlen=most)
    changes: deque[float] = deque(maxlen=most - 1)
    best, greatest, first, count = list(last), 0.0, 0, 1
    for frame in frames:
        changes.append(float(np.abs(frame - last[-1]).mean()))
        last.append(frame)
        count += 1
        change = math.fsum(changes)
        if count <= most or change > greatest:
            best, greatest, first = list(last), change, max(0, count - most)
    return best, first, count


def _liveliest_place(frames: Sequence[NDArray[np.float32]]) -> tuple[slice, slice]:
    """The rows and columns of so many voxels in all where (3, h, w) frames change most; a window of
    their own shape."""
    height, width = frames[0].shape[1:]
    share = min(1, math.sqrt(MAX_VOXELS / (len(frames) * height * width)))
    rows, columns = round(height * share), round(width * share)
    change = np.zeros((height + 1, width + 1))
    for before, after in pairwise(frames):
        change[1:, 1:] += np.abs(after - before).mean(axis=0)
    sums = change.cumsum(axis=0).cumsum(axis=1)
    within = sums[rows:] - sums[:-rows]
    within = within[:, columns:] - within[:, :-columns]
    top, left = np.unravel_index(int(within.argmax()), within.shape)
    return slice(int(top), int(top) + rows), slice(int(left), int(left) + columns)
