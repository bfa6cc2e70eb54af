"""What any player could do: repeat frames, mix neighbours, or interpolate and back-project.

Input frame n is the mean of output frames [f·n, f·n + f) over its exposure. For the full exposure
output frame f·n + j lies at n + (j + 0.5) / f - 0.5 on the axis of input frame centres. All methods
place their frames there; comparing against a baseline half an input frame out of step would flatter
us.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL
from tsr.core.rect import exposure_weights
from tsr.core.resize import keys_kernel
from tsr.core.volume import Volume, check_volume

Frame = NDArray[np.float32]
"""(3, H, W) float32 in [0, 1]."""


class _Method(NamedTuple):
    reach: int
    """Input frames needed on either side."""
    weights: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    """Weight by distance in input frames, before normalisation."""
    back_project: bool


METHODS = {
    "nearest": _Method(0, np.ones_like, False),
    "linear": _Method(1, lambda distance: np.maximum(1 - np.abs(distance), 0), False),
    "cubic_bp": _Method(2, keys_kernel, True),
}
"""Baselines by name."""


def nearest(ltr: Volume, factor: int) -> Volume:
    """(C, T, H, W) → (C, T·f, H, W): each frame repeated, what a slow player shows."""
    return _volume(ltr, factor, "nearest")


def linear(ltr: Volume, factor: int) -> Volume:
    """(C, T, H, W) → (C, T·f, H, W): the two nearest frames mixed; ends held."""
    return _volume(ltr, factor, "linear")


def cubic_bp(ltr: Volume, factor: int) -> Volume:
    """(C, T, H, W) → (C, T·f, H, W): cubic in time, then temporal back-projection, clipped.

    h - expand(rect(h) - ltr): the best that needs no knowledge of the video. Each group of f frames
    averages to its input frame wherever nothing clipped.
    """
    return _volume(ltr, factor, "cubic_bp")


def upsampled(
    frames: Iterable[Frame], factor: int, method: str, exposure: float = FULL
) -> Iterator[Frame]:
    """A baseline frame by frame, for videos that do not fit in memory.

    Args:
        frames: the slow video, (3, H, W) float32 each. At most five are held at a time.
        factor: output frames per input frame.
        method: a name of `METHODS`.
        exposure: of the frames, as a fraction of their interval.

    Yields:
        `factor` frames for each input frame, the same values as the function on a volume gives.

    Raises:
        SettingsError: unknown method or factor below 1.
    """
    if method not in METHODS or factor < 1:
        raise SettingsError(
            f"no baseline {method!r} at factor {factor}; methods: {', '.join(METHODS)}"
        )
    chosen = METHODS[method]
    for window, at in _windows(frames, chosen.reach):
        weights = _weights(method, factor, -at, len(window) - at, exposure)
        group = np.tensordot(weights, np.stack(window), 1)  # (f, 3, H, W)
        if chosen.back_project:
            group -= np.tensordot(exposure_weights(factor, exposure), group, 1) - window[at]
            np.clip(group, 0.0, 1.0, out=group)
        yield from group


def _volume(ltr: Volume, factor: int, method: str) -> Volume:
    check_volume(ltr)
    frames = (ltr[:, t] for t in range(ltr.shape[1]))
    return np.stack(list(upsampled(frames, factor, method)), axis=1)


@functools.lru_cache(maxsize=64)
def _weights(
    method: str, factor: int, first: int, last: int, exposure: float
) -> NDArray[np.float32]:
    """(f, last - first): weights of the neighbours at offsets first … last - 1 for each phase.

    At the ends of the video neighbours are missing: the rest is scaled up to a sum of 1, which for
    `linear` means that the end frame is held.
    """
    places = np.arange(factor)
    phases = (places - exposure_weights(factor, exposure) @ places) / factor
    distance = phases[:, None] - np.arange(first, last)
    weights = METHODS[method].weights(distance)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _windows(frames: Iterable[Frame], reach: int) -> Iterator[tuple[list[Frame], int]]:
    """For each frame: itself and up to `reach` frames on either side, and its place among them."""
    window: list[Frame] = []
    at = 0
    for frame in frames:
        window.append(frame)
        if len(window) - at > reach:
            yield window, at
            at += 1
            if at > reach:
                window, at = window[1:], reach
    while at < len(window):
        yield window, at
        window, at = (window[1:], at) if at == reach else (window, at + 1)
