"""Motion-compensated interpolation in time: what a network pass is given to improve.

The paper gives the network cubic interpolation in time (4.1), in which what moves fades from place
to place. Here each pixel is moved along its motion between two frames instead, so that the network
need not learn to move things, only what moving them leaves wrong: their blur, and motion that is
too fast to be told. Not straight on, but along a curve: how a frame's flow differs from that before
it tells how things speed up or turn (Xu et al., NeurIPS 2019). The motion is found patch by patch,
from coarse to fine (dense inverse search, Kroeger et al., ECCV 2016, without its variational
refinement), at the size of the rung, where a few pixels per frame are usual; behind the first pass
in halves of the frames. Pairs then average to the frame that is known, as behind the network.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tsr.core import motion_loops as loops
from tsr.core.backproject import backproject_t
from tsr.core.cores import usable_cores
from tsr.core.exposure import FULL
from tsr.core.rect import exposure_after, exposure_weights
from tsr.core.tiling import MOTION_REACH
from tsr.core.volume import Volume

Flow = NDArray[np.float32]
"""(2, H, W) pixels down and right that each pixel of a frame has moved in another."""

Pyramid = list[NDArray[np.float32]]
"""A grey frame and halves of it, the finest first."""

Follow = Callable[[int, Pyramid, Pyramid], tuple[Flow, Flow]]
"""Number of a frame, its pyramid, that of the next frame → where each is in the other."""


SHARED = 8
"""Pairs that a part of a video may share with the next one: seven, by the network's margin and
`MOTION_REACH`."""


def forth_and_back(pair: int, before: Pyramid, after: Pyramid) -> tuple[Flow, Flow]:
    """Follow from one frame to the next and back, whichever pair it is."""
    del pair
    return _flow(before, after), _flow(after, before)


def remembering(follow: Follow) -> Follow:
    """Follow each pair once where parts of a video, in order, share some at their borders."""
    found: dict[int, tuple[Flow, Flow]] = {}

    def remembered(pair: int, before: Pyramid, after: Pyramid) -> tuple[Flow, Flow]:
        known = found.get(pair) or follow(pair, before, after)
        found[pair] = known
        for old in [number for number in list(found) if number < pair - SHARED]:
            found.pop(old, None)
        return known

    return remembered


def doubled(video: Volume, exposure: float = FULL, *, halved: bool = False) -> Volume:
    """(C, T, H, W) in [0, 1] → (C, 2T, H, W), a little beyond that range in places.

    Args:
        exposure, halved: as in `moved`.
    """
    frames = video.shape[1]
    return moved(video, np.arange(2 * frames), 0, frames, exposure, halved=halved)


def moved(
    given: Volume,
    wanted: NDArray[np.intp],
    first: int,
    num_given: int,
    exposure: float = FULL,
    *,
    halved: bool = False,
    follow: Follow = forth_and_back,
) -> Volume:
    """Some frames at twice the rate, each the same whichever others are asked for.

    Args:
        given: frames `first` to … of a video, (C, T, H, W).
        wanted: their numbers at twice the rate, in order; some may repeat. The frames under them
            and `MOTION_REACH` on each side must be given, but beyond the ends of the video.
        num_given: frames of the whole video.
        exposure: of these, as a fraction of their interval.
        halved: whether motion is found in halves of the frames, if these hold a patch.
        follow: finds the motion between a frame and the next one.

    Returns:
        (C, len(wanted), H, W). The first and the last frame of the video repeat.
    """
    channels, _, height, width = given.shape
    low, high = int(wanted[0]) // 2, int(wanted[-1]) // 2 + 1
    made = np.zeros((2 * (high - low), channels, height, width), np.float32)
    frames = np.ascontiguousarray(given.swapaxes(0, 1))
    pairs = range(max(low - 1, 0), min(high, num_given - 1))
    reached = range(max(low - MOTION_REACH, 0), min(high + MOTION_REACH, num_given) - 1)
    flows = _flows(frames, first, reached, halved, follow)
    gains = {n: _gain(flows, n) for pair in pairs for n in (pair, pair + 1)}
    times = times_between(exposure)

    def fill(pair: int) -> None:
        forth, back = flows[pair]
        bent = np.empty_like(forth)
        for time, place in zip(times, (2 * pair + 1, 2 * pair + 2), strict=True):
            if 2 * low <= place < 2 * high:
                result = made[place - 2 * low]
                loops.bend(forth, gains[pair], gains[pair + 1], aside(time, exposure), bent)
                loops.add_moved(frames[pair - first], bent, time, 1 - time, result)
                loops.bend(back, gains[pair + 1], gains[pair], aside(1 - time, exposure), bent)
                loops.add_moved(frames[pair + 1 - first], bent, 1 - time, time, result)

    _each(fill, pairs)
    if low == 0:
        made[0] = frames[-first]
    if high == num_given:
        made[-1] = frames[num_given - 1 - first]
    under = given[:, low - first : high - first]
    known = backproject_t(np.ascontiguousarray(made.swapaxes(0, 1)), under, exposure)
    return np.ascontiguousarray(known[:, wanted - 2 * low])


def times_between(exposure: float) -> tuple[float, float]:
    """When the two fast frames between two given ones are, as shares of the interval. A frame shows
    the centre of gravity of its exposure, from which they are counted."""
    late = float(exposure_weights(2, exposure)[1])
    return (1 - late) / 2, 1 - late / 2


def aside(share: float, exposure: float) -> float:
    """By how much of what its flow gains per frame and frame a pixel's straight way must differ
    from the flow, so that it is on its curve after a share of the interval, 0 to 1.

    Half of what is left of the interval; and what the exposure hides: the mean of a parabola over a
    time e is e² / 24 of its gain inside it, and the frames made are exposed for less than those
    given.
    """
    if share == 0:  # nothing moves
        return 0.0
    shorter = exposure_after(2, exposure) / 2
    return (1 - share) / 2 + (exposure**2 - shorter**2) / (24 * share)


def _flows(
    frames: NDArray[np.float32], first: int, pairs: range, halved: bool, follow: Follow
) -> dict[int, tuple[Flow, Flow]]:
    """The motion of pairs, by the number of their first frame. `frames` begin with `first`."""
    greys = {
        n: _pyramid(frames[n - first].mean(0), halved) for n in range(pairs.start, pairs.stop + 1)
    }
    found: dict[int, tuple[Flow, Flow]] = {}

    def find(pair: int) -> None:
        found[pair] = follow(pair, greys[pair], greys[pair + 1])

    _each(find, pairs)
    return found


def _gain(flows: dict[int, tuple[Flow, Flow]], frame: int) -> Flow:
    """What the flow out of a frame gains on that into it, per frame and frame, in pixels; 0 at the
    ends of the video, where only one is known."""
    if frame in flows and frame - 1 in flows:
        return flows[frame][0] + flows[frame - 1][1]
    return np.zeros_like(flows[min(flows)][0])


def flow(before: NDArray[np.float32], after: NDArray[np.float32]) -> Flow:
    """Where each pixel of a grey frame (H, W) in [0, 1] is in another; 0 in frames smaller than a
    patch, in which nothing can be followed."""
    return _flow(_pyramid(before), _pyramid(after))


def _pyramid(grey: NDArray[np.float32], halved: bool = False) -> Pyramid:
    """The frame, unless `halved`, and halves of it that hold more than a patch."""
    sizes = [np.ascontiguousarray(grey, np.float32)]
    while min(sizes[-1].shape) // 2 > loops.PATCH:
        small = np.empty([side // 2 for side in sizes[-1].shape], np.float32)
        loops.halve(sizes[-1], small)
        sizes.append(small)
    return sizes[1:] if halved and len(sizes) > 1 else sizes


def _flow(before: Pyramid, after: Pyramid) -> Flow:
    found = np.zeros((2, *(side // 2 + 1 for side in before[-1].shape)), np.float32)
    if min(before[-1].shape) < loops.PATCH:
        return np.zeros((2, *before[-1].shape), np.float32)
    for now, then in zip(reversed(before), reversed(after), strict=True):
        patches = [-(-(side - loops.PATCH) // loops.STRIDE) + 1 for side in now.shape]
        motion, slope = np.empty((2, *patches), np.float32), np.empty((2, *now.shape), np.float32)
        loops.begin(found, motion)
        loops.slopes(now, slope)
        loops.search(now, then, slope, motion)
        found = np.empty((2, *now.shape), np.float32)
        loops.spread(now, then, motion, found)
    return found


def _each(work: Callable[[int], None], numbers: Iterable[int]) -> None:
    """Do all of it, on as many threads as there are cores."""
    threads = usable_cores()
    if threads == 1:
        for number in numbers:
            work(number)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, numbers):
            pass
