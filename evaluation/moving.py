"""Which pixels move, and how well motion is met: measures that a still background cannot flatter.

A pixel moves in a frame if the truth's brightness (the mean of its channels) changes there by more
than `THRESHOLD` within the exposure of the input frame that covers it: exactly where a slow camera
blurs. The truth alone decides, so that all methods are scored on the same pixels, and all frames of
one exposure have the same ones.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.float32]
"""(3, H, W) float32 in [0, 1]."""
Mask = NDArray[np.bool_]
"""(H, W): whether the pixel moves."""

THRESHOLD = 10 / 255
"""Change of brightness that counts, well above a good camera's noise."""

SMALLEST_SHARE = 0.001
"""Share of moving pixels below which a frame is not scored on them: too few to mean anything."""


def with_masks(truth: Iterable[Frame], factor: int) -> Iterator[tuple[Frame, Mask]]:
    """Each frame of the truth with its moving pixels; `factor` frames are held at a time.

    Frames at the end that fill no group are left out.
    """
    group: list[Frame] = []
    for frame in truth:
        group.append(frame)
        if len(group) == factor:
            mask = moving_pixels(group)
            yield from ((member, mask) for member in group)
            group = []


def moving_pixels(group: Iterable[Frame]) -> Mask:
    """Where the brightness of the frames of one exposure spans more than `THRESHOLD`."""
    brightness = np.stack([frame.mean(axis=0) for frame in group])  # (f, H, W)
    return np.asarray(np.ptp(brightness, axis=0) > THRESHOLD)
