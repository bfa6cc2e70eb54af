"""The compiled loops behind `core.motion`: one pair of frames, no threads inside.

Each result is computed by one fixed sequence of operations, so that no number of threads and no cut
of the video shows in a bit of it. No fast-math: it would let the compiler reorder sums.
"""

import math

import numpy as np
from numba import types

from tsr.core.compiled import compiled, filled, given, inlined

PATCH = 8
"""Pixels of a patch's side: the smallest frame in which motion is looked for."""
STRIDE = 4
"""Pixels from patch to patch: half of each overlaps the next."""
DESCENTS = 5
"""Gauss-Newton steps per patch and round at most; twelve find nothing better."""
ROUNDS = 2
"""Times that patches ask their neighbours for a better motion, then refine it. With one, motion
faster than a patch's reach is lost on some scenes; three gain nothing."""
STILL = 1e-3
"""Squared length of a step, in pixels, below which a patch has arrived."""
ALIKE = 0.25
"""Pixels by which a neighbour's motion must differ to be worth trying."""
FLAT = 1e-9
"""Determinant of a patch's structure below which its motion cannot be told."""
LEVEL = 1 / 255
"""Brightness below which two patches fit a pixel alike."""
SETTLING = 1
"""Times that a flow is followed back from where a pixel arrives to where it started; three times
change nothing."""
SHARPNESS = -0.75
"""Of the cubic by which frames are read between pixels (Keys' a). -0.5, as elsewhere, loses 0.1 dB
here, where two frames are mixed that are each a little softer for it."""


@inlined
def _hold(place, size):  # type: ignore[no-untyped-def]
    return min(max(place, 0), size - 1)


@inlined
def _misfit(before, after, top, left, down, right, misses):  # type: ignore[no-untyped-def]
    """How far a patch of `before`, moved, is from `after`: squared error, brightness apart, and the
    mean difference. Fills `misses` with the differences."""
    height, width = after.shape
    y = min(max(np.float32(top + down), np.float32(-PATCH)), np.float32(height))
    x = min(max(np.float32(left + right), np.float32(-PATCH)), np.float32(width))
    row, column = math.floor(y), math.floor(x)
    low, far = np.float32(y - row), np.float32(x - column)
    high, near = np.float32(1) - low, np.float32(1) - far
    inside = row >= 0 and column >= 0 and row + PATCH < height and column + PATCH < width
    total, squares = np.float32(0), np.float32(0)
    for i in range(PATCH):
        for j in range(PATCH):
            r0, c0 = row + i, column + j
            r1, c1 = r0 + 1, c0 + 1
            if not inside:
                r0, r1 = _hold(r0, height), _hold(r1, height)
                c0, c1 = _hold(c0, width), _hold(c1, width)
            upper = near * after[r0, c0] + far * after[r0, c1]
            lower = near * after[r1, c0] + far * after[r1, c1]
            miss = high * upper + low * lower - before[top + i, left + j]
            misses[i, j] = miss
            total += miss
            squares += miss * miss
    mean = total / np.float32(PATCH * PATCH)
    return squares - total * mean, mean


@compiled(given[2], filled[2])
def halve(grey, small):  # type: ignore[no-untyped-def]
    """(H, W) → (H // 2, W // 2): means of 2×2 pixels."""
    for y in range(small.shape[0]):
        for x in range(small.shape[1]):
            upper = grey[2 * y, 2 * x] + grey[2 * y, 2 * x + 1]
            lower = grey[2 * y + 1, 2 * x] + grey[2 * y + 1, 2 * x + 1]
            small[y, x] = np.float32(0.25) * (upper + lower)


@compiled(given[2], filled[3])
def slopes(grey, slope):  # type: ignore[no-untyped-def]
    """(H, W) → (2, H, W): central differences down and right."""
    height, width = grey.shape
    half = np.float32(0.5)
    for y in range(height):
        for x in range(width):
            down, up = grey[_hold(y + 1, height), x], grey[_hold(y - 1, height), x]
            right, left = grey[y, _hold(x + 1, width)], grey[y, _hold(x - 1, width)]
            slope[0, y, x], slope[1, y, x] = half * (down - up), half * (right - left)


@compiled(given[3], filled[3])
def begin(coarse, motion):  # type: ignore[no-untyped-def]
    """Patches' first motion (2, rows, columns) from the flow (2, h, w) of half the size."""
    height, width = coarse.shape[1:]
    for axis in range(2):
        for j in range(motion.shape[1]):
            for i in range(motion.shape[2]):
                y, x = (j * STRIDE + PATCH // 2) // 2, (i * STRIDE + PATCH // 2) // 2
                motion[axis, j, i] = 2 * coarse[axis, _hold(y, height), _hold(x, width)]


@inlined
def _descend(  # type: ignore[no-untyped-def]
    before, after, slope, top, left, down, right, error, misses
):
    """Gauss-Newton from a motion, with the slopes of the patch itself (inverse search)."""
    yy, xx, yx = np.float32(0), np.float32(0), np.float32(0)
    y_sum, x_sum = np.float32(0), np.float32(0)
    for i in range(PATCH):
        for j in range(PATCH):
            y, x = slope[0, top + i, left + j], slope[1, top + i, left + j]
            yy, xx, yx = yy + y * y, xx + x * x, yx + y * x
            y_sum, x_sum = y_sum + y, x_sum + x
    count = np.float32(PATCH * PATCH)
    yy, xx, yx = yy - y_sum * y_sum / count, xx - x_sum * x_sum / count, yx - y_sum * x_sum / count
    volume = yy * xx - yx * yx
    if volume <= FLAT:
        return down, right, error
    y, x = down, right
    for step in range(DESCENTS + 1):
        now, mean = _misfit(before, after, top, left, y, x, misses)
        if now < error:
            down, right, error = y, x, now
        elif step:
            break
        y_miss, x_miss = -mean * y_sum, -mean * x_sum
        for i in range(PATCH):
            for j in range(PATCH):
                y_miss += slope[0, top + i, left + j] * misses[i, j]
                x_miss += slope[1, top + i, left + j] * misses[i, j]
        y_step = (xx * y_miss - yx * x_miss) / volume
        x_step = (yy * x_miss - yx * y_miss) / volume
        y, x = y - y_step, x - x_step
        if abs(y - down) + abs(x - right) > PATCH or y_step * y_step + x_step * x_step < STILL:
            break
    return down, right, error


@compiled(given[2], given[2], given[3], filled[3])
def search(before, after, slope, motion):  # type: ignore[no-untyped-def]
    """Move each patch of `before` to where it fits `after` best.

    Args:
        before, after: (H, W). slope: of `before`. motion: (2, rows, columns) of patches, the first
            guess; becomes the motion found, in pixels.
    """
    height, width = before.shape
    rows, columns = motion.shape[1:]
    misses = np.empty((PATCH, PATCH), np.float32)
    errors = np.empty((rows, columns), np.float32)
    for j in range(rows):
        for i in range(columns):
            top, left = min(j * STRIDE, height - PATCH), min(i * STRIDE, width - PATCH)
            errors[j, i], _ = _misfit(
                before, after, top, left, motion[0, j, i], motion[1, j, i], misses
            )
    for n in range(ROUNDS):
        # All ask for what was known before the round, so that their order does not matter.
        known = motion.copy()
        for j in range(rows):
            for i in range(columns):
                top, left = min(j * STRIDE, height - PATCH), min(i * STRIDE, width - PATCH)
                down, right, error = known[0, j, i], known[1, j, i], errors[j, i]
                new = n == 0
                for jj in range(max(j - 1, 0), min(j + 2, rows)):
                    for ii in range(max(i - 1, 0), min(i + 2, columns)):
                        y, x = known[0, jj, ii], known[1, jj, ii]
                        if abs(y - down) + abs(x - right) > ALIKE:
                            other, _ = _misfit(before, after, top, left, y, x, misses)
                            if other < error:
                                down, right, error, new = y, x, other, True
                if new:
                    down, right, error = _descend(
                        before, after, slope, top, left, down, right, error, misses
                    )
                motion[0, j, i], motion[1, j, i], errors[j, i] = down, right, error


@compiled(given[2], given[2], given[3], filled[3])
def spread(before, after, motion, flow):  # type: ignore[no-untyped-def]
    """Each pixel's motion (2, H, W): the mean of its patches', by how well each fits it."""
    height, width = before.shape
    misses = np.empty((PATCH, PATCH), np.float32)
    weights = np.zeros((height, width), np.float32)
    flow[:] = 0
    for j in range(motion.shape[1]):
        for i in range(motion.shape[2]):
            top, left = min(j * STRIDE, height - PATCH), min(i * STRIDE, width - PATCH)
            down, right = motion[0, j, i], motion[1, j, i]
            _, mean = _misfit(before, after, top, left, down, right, misses)
            for y in range(PATCH):
                for x in range(PATCH):
                    weight = np.float32(1) / max(abs(misses[y, x] - mean), np.float32(LEVEL))
                    weights[top + y, left + x] += weight
                    flow[0, top + y, left + x] += weight * down
                    flow[1, top + y, left + x] += weight * right
    for y in range(height):
        for x in range(width):
            flow[0, y, x] /= weights[y, x]
            flow[1, y, x] /= weights[y, x]


@inlined
def _between(plane, y, x):  # type: ignore[no-untyped-def]
    """A plane (H, W) read at a place within it, between its pixels."""
    height, width = plane.shape
    row, column = np.int32(y), np.int32(x)
    low, far = y - np.float32(row), x - np.float32(column)
    r0, c0 = np.uintp(row), np.uintp(column)
    r1, c1 = np.uintp(min(row + 1, height - 1)), np.uintp(min(column + 1, width - 1))
    upper = plane[r0, c0] + far * (plane[r0, c1] - plane[r0, c0])
    lower = plane[r1, c0] + far * (plane[r1, c1] - plane[r1, c0])
    return upper + low * (lower - upper)


@compiled(given[3], given[3], given[3], types.float32, filled[3])
def bend(flow, here, there, aside, bent):  # type: ignore[no-untyped-def]
    """The straight way (2, H, W) on which a pixel is where its curve is after some of the time.

    Args:
        flow: from one frame to the other. here, there: (2, H, W) by how much the flow out of a
            frame and that back into it differ, in the first and in the second frame; the mean of
            where a pixel starts and arrives is taken.
        aside: how much of that lies between the flow and the way.
    """
    height, width = flow.shape[1:]
    bottom, side, start = np.float32(height - 1), np.float32(width - 1), np.float32(0)
    half = np.float32(0.5) * aside
    for y in range(height):
        for x in range(width):
            v, u = flow[0, y, x], flow[1, y, x]
            down = min(max(start, np.float32(y) + v), bottom)
            across = min(max(start, np.float32(x) + u), side)
            bent[0, y, x] = v - half * (here[0, y, x] + _between(there[0], down, across))
            bent[1, y, x] = u - half * (here[1, y, x] + _between(there[1], down, across))


@inlined
def _along(plane, y, x, scale):  # type: ignore[no-untyped-def]
    """Motion along one axis at a place in a frame, from a flow `scale` times smaller, 1 or 2."""
    start, half, share = np.float32(0), np.float32(0.5), np.float32(1) / scale
    bottom, side = np.float32(plane.shape[0] - 1), np.float32(plane.shape[1] - 1)
    down = min(max(start, (y + half) * share - half), bottom)
    across = min(max(start, (x + half) * share - half), side)
    return scale * _between(plane, down, across)


@inlined
def _keys(far):  # type: ignore[no-untyped-def]
    """Weights of the four pixels about a place `far` behind the second (Keys)."""
    a, one, two, three = np.float32(SHARPNESS), np.float32(1), np.float32(2), np.float32(3)
    near = one - far
    return (
        a * far * near * near,
        one + far * far * ((a + two) * far - (a + three)),
        one + near * near * ((a + two) * near - (a + three)),
        a * near * far * far,
    )


@inlined
def _four(place, size):  # type: ignore[no-untyped-def]
    """Numbers of the four pixels about a place, the border continued. Unsigned: numba looks at
    others, whether they count from the end."""
    first, third, fourth = max(place - 1, 0), min(place + 1, size - 1), min(place + 2, size - 1)
    return np.uintp(first), np.uintp(place), np.uintp(third), np.uintp(fourth)


@inlined
def _weighed(values, weights):  # type: ignore[no-untyped-def]
    first = values[0] * weights[0] + values[1] * weights[1]
    return first + (values[2] * weights[2] + values[3] * weights[3])


@inlined
def _down(plane, rows, column, weights):  # type: ignore[no-untyped-def]
    r0, r1, r2, r3 = rows
    values = plane[r0, column], plane[r1, column], plane[r2, column], plane[r3, column]
    return _weighed(values, weights)


@compiled(given[3], given[3], types.float32, types.float32, filled[3])
def add_moved(frame, flow, share, weight, result):  # type: ignore[no-untyped-def]
    """Add `weight` times a frame (C, H, W), moved by a share of its flow, of that or of half its
    size, to `result`.

    Row by row, first where its pixels come from, then each channel: short loops without branches,
    in two thirds of the time. Of what is no number, `max` takes the other, so that all that is read
    lies within the frame.
    """
    channels, height, width = frame.shape
    bottom, side, start = np.float32(height - 1), np.float32(width - 1), np.float32(0)
    scale = np.float32(1 if flow.shape[1] == height else 2)
    from_y, from_x = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(height):
        for x in range(width):
            back_y, back_x = np.float32(y), np.float32(x)
            v, u = _along(flow[0], back_y, back_x, scale), _along(flow[1], back_y, back_x, scale)
            for _ in range(SETTLING):
                back_y = min(max(start, np.float32(y) - share * v), bottom)
                back_x = min(max(start, np.float32(x) - share * u), side)
                v = _along(flow[0], back_y, back_x, scale)
                u = _along(flow[1], back_y, back_x, scale)
            from_y[x] = min(max(start, np.float32(y) - share * v), bottom)
            from_x[x] = min(max(start, np.float32(x) - share * u), side)
        for c in range(channels):
            plane, made = frame[c], result[c, y]
            for x in range(width):
                row, column = np.int32(from_y[x]), np.int32(from_x[x])
                down = _keys(from_y[x] - np.float32(row))
                right = _keys(from_x[x] - np.float32(column))
                rows, columns = _four(row, height), _four(column, width)
                c0, c1, c2, c3 = columns
                across = (
                    _down(plane, rows, c0, down),
                    _down(plane, rows, c1, down),
                    _down(plane, rows, c2, down),
                    _down(plane, rows, c3, down),
                )
                made[x] += weight * _weighed(across, right)
