"""The compiled loops behind `cpu_kernels`: one channel, a range of work units, no threads inside.

Each loop computes any range of its units, and each output element by one fixed sequence of
operations, so that the number of threads, the cut into units and the cut of the video along time
never show in a bit of the result. No fast-math: it would let the compiler reorder sums.
"""

import numpy as np
from numba import types

from tsr.core.compiled import compiled, filled, given, inlined
from tsr.runtime.tap_plan import AxisPlan, HalvingPlan

REACH_UP = 2
"""Low-resolution rows beyond a band that enlarging the band reads."""

REACH_AGAIN = 5
"""Rows beyond a band that D U of those rows reads: 2 + 3."""

_index_table = types.Array(types.int32, 2, "C")
_given_index = types.Array(types.int32, 2, "C", readonly=True)
_plan = types.NamedTuple(  # type: ignore[no-untyped-call]
    (_index_table, filled[2], _index_table, filled[2], types.intp, types.intp), AxisPlan
)
_halving = types.NamedTuple(  # type: ignore[no-untyped-call]
    (_index_table, filled[2], types.intp, types.intp), HalvingPlan
)


@inlined
def _set(result, source):  # type: ignore[no-untyped-def]
    for x in range(result.size):
        result[x] = source[x]


@inlined
def _subtract(a, b, result):  # type: ignore[no-untyped-def]
    for x in range(result.size):
        result[x] = a[x] - b[x]


@inlined
def _scale(result, source, share):  # type: ignore[no-untyped-def]
    for x in range(result.size):
        result[x] = share * source[x]


@inlined
def _add_scaled(result, source, share):  # type: ignore[no-untyped-def]
    for x in range(result.size):
        result[x] += share * source[x]


@inlined
def _total(shares):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for frame in range(shares.size):
        total += shares[frame]
    return total


@inlined
def _vertical_4(source, rows, weights, top, result):  # type: ignore[no-untyped-def]
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    r0, r1 = source[rows[0] - top], source[rows[1] - top]
    r2, r3 = source[rows[2] - top], source[rows[3] - top]
    for x in range(result.size):
        result[x] = w0 * r0[x] + w1 * r1[x] + w2 * r2[x] + w3 * r3[x]


@inlined
def _vertical_7(source, rows, weights, top, result):  # type: ignore[no-untyped-def]
    _vertical_4(source, rows, weights, top, result)
    w4, w5, w6 = weights[4], weights[5], weights[6]
    r4, r5, r6 = source[rows[4] - top], source[rows[5] - top], source[rows[6] - top]
    for x in range(result.size):
        result[x] += w4 * r4[x] + w5 * r5[x] + w6 * r6[x]


@inlined
def _weighted(line, index, weight, x):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for tap in range(index.shape[1]):
        total += weight[x, tap] * line[index[x, tap]]
    return total


@inlined
def _sharpen_row(line, deviation, plan, result):  # type: ignore[no-untyped-def]
    """result = 2 · deviation - (D U along the row) line."""
    first, last = plan.inner_first, plan.inner_last
    index, weight = plan.again_index, plan.again_weight
    if last > first:
        w = weight[first]
        w0, w1, w2, w3, w4, w5, w6 = w[0], w[1], w[2], w[3], w[4], w[5], w[6]
        source, d, r = line[first - 3 :], deviation[first:last], result[first:last]
        for x in range(last - first):
            again = w0 * source[x] + w1 * source[x + 1] + w2 * source[x + 2] + w3 * source[x + 3]
            again += w4 * source[x + 4] + w5 * source[x + 5] + w6 * source[x + 6]
            r[x] = d[x] + d[x] - again
    for x in range(first):
        result[x] = deviation[x] + deviation[x] - _weighted(line, index, weight, x)
    for x in range(last, result.size):
        result[x] = deviation[x] + deviation[x] - _weighted(line, index, weight, x)


@inlined
def _clipped(value):  # type: ignore[no-untyped-def]
    value = np.float32(0) if value < np.float32(0) else value
    return np.float32(1) if value > np.float32(1) else value


@inlined
def _enlarge_row(line, known, plan, result):  # type: ignore[no-untyped-def]
    """result = clip(known + (U along the row) line)."""
    first, last = plan.inner_first, plan.inner_last
    index, weight = plan.up_index, plan.up_weight
    if last > first:
        even, odd = weight[2 * first], weight[2 * first + 1]
        e0, e1, e2, e3 = even[0], even[1], even[2], even[3]
        o0, o1, o2, o3 = odd[0], odd[1], odd[2], odd[3]
        source, k, r = line[first - 2 :], known[2 * first :], result[2 * first :]
        for x in range(last - first):
            s1, s2, s3 = source[x + 1], source[x + 2], source[x + 3]
            r[2 * x] = _clipped(k[2 * x] + (e0 * source[x] + e1 * s1 + e2 * s2 + e3 * s3))
            r[2 * x + 1] = _clipped(
                k[2 * x + 1] + (o0 * s1 + o1 * s2 + o2 * s3 + o3 * source[x + 4])
            )
    for x in range(2 * first):
        result[x] = _clipped(known[x] + _weighted(line, index, weight, x))
    for x in range(2 * last, result.size):
        result[x] = _clipped(known[x] + _weighted(line, index, weight, x))


@compiled(given[3], given[3], filled[3], given[1], _plan, _plan, *(types.intp,) * 3)
def climb(low, ltr, out, shares, rows, columns, band, first, last):  # type: ignore[no-untyped-def]
    """Back-project units [first, last); a unit is `band` low-resolution rows of one group.

    Args:
        low: (T·k, h, w).
        ltr: (T, 2h, 2w).
        out: (T·k, 2h, 2w), filled.
        shares: (k,) how much of each frame the shutter was open for, the first 1.
        rows: plan of the h axis.
        columns: plan of the w axis.
        band: rows per unit; the scratch of a unit should fit the second-level cache.
    """
    _, height, width = low.shape
    k = shares.size
    scale = np.float32(1) / _total(shares)
    bands = -(-height // band)
    mean = np.empty((band + 2 * REACH_AGAIN, width), np.float32)
    deviation = np.empty_like(mean)
    sharpened = np.empty((band + 2 * REACH_UP, width), np.float32)
    line = np.empty(width, np.float32)
    for unit in range(first, last):
        group = unit // bands
        top = (unit - group * bands) * band
        bottom = min(top + band, height)
        d_top, d_bottom = max(top - REACH_AGAIN, 0), min(bottom + REACH_AGAIN, height)
        s_top, s_bottom = max(top - REACH_UP, 0), min(bottom + REACH_UP, height)
        for row in range(d_top, d_bottom):
            average = mean[row - d_top]
            _set(average, low[group * k, row])
            for frame in range(1, k):
                if shares[frame] > 0:
                    _add_scaled(average, low[group * k + frame, row], shares[frame])
            _scale(average, average, scale)
        for frame in range(group * k, group * k + k):
            for row in range(d_top, d_bottom):
                _subtract(low[frame, row], mean[row - d_top], deviation[row - d_top])
            for row in range(s_top, s_bottom):
                _vertical_7(deviation, rows.again_index[row], rows.again_weight[row], d_top, line)
                _sharpen_row(line, deviation[row - d_top], columns, sharpened[row - s_top])
            for row in range(2 * top, 2 * bottom):
                _vertical_4(sharpened, rows.up_index[row], rows.up_weight[row], s_top, line)
                _enlarge_row(line, ltr[group, row], columns, out[frame, row])


@compiled(filled[2], given[2], given[1], types.boolean, *(types.intp,) * 3)
def shift_groups(guess, ltr, shares, clip, chunk, first, last):  # type: ignore[no-untyped-def]
    """Shift each group of frames to its known mean, in place; a unit is `chunk` pixels of a group.

    Args:
        guess: (T·k, pixels), changed.
        ltr: (T, pixels).
        shares: (k,) how much of each frame the shutter was open for, the first 1.
    """
    pixels = ltr.shape[1]
    k, total = shares.size, _total(shares)
    chunks = -(-pixels // chunk)
    scratch = np.empty(chunk, np.float32)
    for unit in range(first, last):
        group = unit // chunks
        start = (unit - group * chunks) * chunk
        stop = min(start + chunk, pixels)
        error, known = scratch[: stop - start], ltr[group, start:stop]
        _set(error, guess[group * k, start:stop])
        for frame in range(1, k):
            if shares[frame] > 0:
                _add_scaled(error, guess[group * k + frame, start:stop], shares[frame])
        for x in range(error.size):
            error[x] = error[x] / total - known[x]
        for frame in range(group * k, group * k + k):
            result = guess[frame, start:stop]
            if clip:
                for x in range(result.size):
                    result[x] = _clipped(result[x] - error[x])
            else:
                _subtract(result, error, result)


@compiled(given[2], filled[2], _given_index, given[2], *(types.intp,) * 3)
def mix_frames(source, out, index, weight, chunk, first, last):  # type: ignore[no-untyped-def]
    """Resample in time; a unit is `chunk` pixels of one output frame.

    Args:
        source: (T, pixels).
        out: (n_out, pixels), filled.
        index: (n_out, taps) frames of `source`.
        weight: (n_out, taps).
    """
    pixels = source.shape[1]
    chunks = -(-pixels // chunk)
    for unit in range(first, last):
        frame = unit // chunks
        start = (unit - frame * chunks) * chunk
        stop = min(start + chunk, pixels)
        result = out[frame, start:stop]
        for tap in range(index.shape[1]):
            share, taken = weight[frame, tap], source[index[frame, tap], start:stop]
            if tap == 0:
                _scale(result, taken, share)
            else:
                _add_scaled(result, taken, share)


@inlined
def _halve_row(line, plan, result):  # type: ignore[no-untyped-def]
    first, last = plan.inner_first, plan.inner_last
    if last > first:
        w = plan.tap_weight[first]
        w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
        s, r = line[2 * first - 3 :], result[first:last]
        for x in range(r.size):
            at = 2 * x
            half = w0 * s[at] + w1 * s[at + 1] + w2 * s[at + 2] + w3 * s[at + 3]
            r[x] = half + w4 * s[at + 4] + w5 * s[at + 5] + w6 * s[at + 6] + w7 * s[at + 7]
    for x in range(first):
        result[x] = _weighted(line, plan.tap_index, plan.tap_weight, x)
    for x in range(last, result.size):
        result[x] = _weighted(line, plan.tap_index, plan.tap_weight, x)


@compiled(given[3], filled[3], _halving, _halving, *(types.intp,) * 2)
def halve(source, out, rows, columns, first, last):  # type: ignore[no-untyped-def]
    """Halve rows, then columns; a unit is one output row.

    Args:
        source: (T, 2h, 2w).
        out: (T, h, w), filled.
        rows: plan of the h axis.
        columns: plan of the w axis.
    """
    height = out.shape[1]
    line = np.empty(source.shape[2], np.float32)
    for unit in range(first, last):
        frame, row = unit // height, unit % height
        for tap in range(rows.tap_index.shape[1]):
            share, taken = rows.tap_weight[row, tap], source[frame, rows.tap_index[row, tap]]
            if tap == 0:
                _scale(line, taken, share)
            else:
                _add_scaled(line, taken, share)
        _halve_row(line, columns, out[frame, row])
