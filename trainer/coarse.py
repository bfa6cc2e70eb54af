"""The video at the coarsest rung of its ladder: what the network is trained on (paper 4.2)."""

import itertools
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
    shrunk = list(_shrunk(frames, ladder))
    if len(shrunk) < MIN_FRAMES:
        raise ClipError(
            f"the video has {len(shrunk)} frame{'s' * (len(shrunk) != 1)}; training needs at "
            f"least {MIN_FRAMES}. Use a longer clip"
        )
    first = _liveliest(shrunk)
    note = ""
    if len(shrunk) > MAX_FRAMES:
        note = (
            f"training on the {MAX_FRAMES} frames with most motion, "
            f"{first} to {first + MAX_FRAMES - 1} of {len(shrunk)}"
        )
    return np.stack(shrunk[first : first + MAX_FRAMES], axis=1), note


def _shrunk(
    frames: Iterable[NDArray[np.float32]], ladder: ScaleLadder
) -> Iterator[NDArray[np.float32]]:
    rows = columns = None
    for frame in frames:
        padded = pad_to_multiple(frame, ladder.multiple)
        if rows is None or columns is None:
            rows = halving_matrix(padded.shape[1], ladder.halvings)
            columns = halving_matrix(padded.shape[2], ladder.halvings).T.copy()
        yield np.matmul(np.matmul(rows, padded), columns)  # (3, h, w)


def _liveliest(frames: list[NDArray[np.float32]]) -> int:
    """Start of the window of `MAX_FRAMES` frames that changes most."""
    if len(frames) <= MAX_FRAMES:
        return 0
    change = [np.abs(b - a).mean() for a, b in itertools.pairwise(frames)]
    sums = np.concatenate([[0.0], np.cumsum(change)])
    return int(np.argmax(sums[MAX_FRAMES - 1 :] - sums[: len(sums) - MAX_FRAMES + 1]))
