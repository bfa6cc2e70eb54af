"""Tap tables of the ×2 rungs, derived from `core.resize.cubic_taps`: up, down, up followed by down.

Back-projection is linear until it clips, and most of it cancels. With U the ×2 enlargement, D the
halving, R the mean over the exposure in a group of k frames and d = low - R(low), the four steps of
`core.backproject.backproject` amount to

    output = clip(ltr + U(2 d - D U d))

because what the two temporal corrections and the spatial one share is constant within a group and
the last correction removes it. D U acts at the low resolution: seven taps per axis, the product of
the two tables. So a climb reads the full-size video once and never forms a full-size guess.
"""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsr.core.resize import cubic_taps

HALVING_TAPS = 8
UP_TAPS = 4
AGAIN_TAPS = 7
HALVE_TAPS = 8


class AxisPlan(NamedTuple):
    """How one axis of n low-resolution samples is enlarged to 2n, and enlarged then halved.

    `inner_first` to `inner_last` bound the low-resolution samples away from the borders, whose taps
    are the same but for their position; there a loop may hold the weights in registers.
    """

    up_index: NDArray[np.int32]
    """(2n, 4) low-resolution positions."""
    up_weight: NDArray[np.float32]
    """(2n, 4)"""
    again_index: NDArray[np.int32]
    """(n, 7) positions that D U reads."""
    again_weight: NDArray[np.float32]
    """(n, 7)"""
    inner_first: int
    inner_last: int


@functools.lru_cache(maxsize=256)
def axis_plan(n_low: int) -> AxisPlan:
    """Plan the climb along one axis from `n_low` to twice as many samples."""
    up, down = cubic_taps(n_low, 2 * n_low), cubic_taps(2 * n_low, n_low)
    sample = np.arange(2 * n_low)
    up_start = sample // 2 - 2 + sample % 2
    again_start = np.arange(n_low) - 3
    up_index, up_weight = _banded(up.index, up.weight, up_start, UP_TAPS, n_low)
    product = down.weight[:, :, None].astype(np.float64) * up.weight[down.index]
    again_index, again_weight = _banded(
        up.index[down.index].reshape(n_low, -1),
        product.reshape(n_low, -1),
        again_start,
        AGAIN_TAPS,
        n_low,
    )
    inner = (
        _like_the_middle(up_index[0::2], up_weight[0::2], up_start[0::2])
        & _like_the_middle(up_index[1::2], up_weight[1::2], up_start[1::2])
        & _like_the_middle(again_index, again_weight, again_start)
    )
    return AxisPlan(up_index, up_weight, again_index, again_weight, *_bounds(inner))


class HalvingPlan(NamedTuple):
    """How one axis of 2n samples is halved; the inner samples share their weights."""

    tap_index: NDArray[np.int32]
    """(n, 8) positions in the axis of 2n samples."""
    tap_weight: NDArray[np.float32]
    """(n, 8)"""
    inner_first: int
    inner_last: int


@functools.lru_cache(maxsize=256)
def halving_plan(n_out: int) -> HalvingPlan:
    """Plan the antialiased halving of one axis to `n_out` samples."""
    taps = cubic_taps(2 * n_out, n_out)
    start = 2 * np.arange(n_out) - 3
    index, weight = _banded(taps.index, taps.weight, start, HALVING_TAPS, 2 * n_out)
    return HalvingPlan(index, weight, *_bounds(_like_the_middle(index, weight, start)))


def _bounds(inner: NDArray[np.bool_]) -> tuple[int, int]:
    where = np.flatnonzero(inner)
    return (int(where[0]), int(where[-1]) + 1) if len(where) else (0, 0)


@functools.lru_cache(maxsize=256)
def halving_weights(n_low: int) -> NDArray[np.float32]:
    """(n_low, 8): weights of the samples 2i - 3 to 2i + 4 in sample i of an axis halved."""
    down = cubic_taps(2 * n_low, n_low)
    start = 2 * np.arange(n_low) - 3
    return _banded(down.index, down.weight, start, HALVE_TAPS, 2 * n_low)[1]


def _banded(
    index: NDArray[np.integer],
    weight: NDArray[np.floating],
    start: NDArray[np.integer],
    width: int,
    n_in: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Gather taps into rows of `width` consecutive positions from `start`, adding up repeats."""
    table = np.zeros((len(index), width))
    row, tap = np.nonzero(weight)
    np.add.at(table, (row, index[row, tap] - start[row]), weight[row, tap])
    positions = np.clip(start[:, None] + np.arange(width), 0, n_in - 1)
    return positions.astype(np.int32), table.astype(np.float32)


def _like_the_middle(
    index: NDArray[np.int32], weight: NDArray[np.float32], start: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Which rows read the positions they start at, unclipped, with the middle row's weights."""
    unclipped = (index == start[:, None] + np.arange(index.shape[1])).all(axis=1)
    same: NDArray[np.bool_] = unclipped & (weight == weight[len(weight) // 2]).all(axis=1)
    return same
