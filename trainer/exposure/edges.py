"""Edges that move evenly: how far each goes per frame across itself, and how wide it has become.

Looked at are lines across the strongest edges of a frame, and the same lines in the frame before
and in the one after. An edge counts if one ramp between two plains explains each of the three,
equally wide and of the same contrast, and as far on in the second step as in the first.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsr.core.resize import keys_kernel
from tsr.trainer.exposure.fit import Floats
from tsr.trainer.exposure.patches import Grey
from tsr.trainer.exposure.ramps import Ramps, best_ramps

CELL = 10
"""Pixels of a square's side in which the strongest edge is looked at."""
MOVING, STEEP = 64, 16
"""Edges of a frame: so many that change most, and of the others so many of the steepest, which tell
how sharp edges at rest are."""
STRAIGHT = 0.9
"""How much of the slope about an edge goes one way, from which on it is one."""

REACHES = (8, 12, 16, 24)
"""Pixels of a line to each side. The shortest in which all three ramps are seen counts: longer ones
also see what is beside the edge."""
LEAST_SIDE = CELL + 2 * REACHES[-1]
"""Pixels of a frame's shorter side that holds an edge with such lines; a patch needs more."""
ALONG = np.arange(-2, 3)
"""Pixels along the edge that are averaged."""

MIN_CONTRAST = 12 / 255
ALIKE = 0.2
"""Share by which contrasts may differ."""
UNEXPLAINED = (0.5 / 255, 0.04)
"""Brightness, and share of the contrast, that a ramp may leave unexplained."""
UNEVEN = (0.5, 0.15)
"""Pixels, and share of the way, by which the ways before and after may differ."""
UNEQUAL = (1.0, 0.25)
"""Pixels, and share, by which widths may differ."""
FARTHEST = 13.0
"""Pixels per frame."""


class Edges(NamedTuple):
    """Evenly moving edges."""

    spreads: Floats
    """(P,) squared width in pixels, less what a pixel's own average adds; may be negative."""
    ways: Floats
    """(P, 2) pixels per frame across the edge, (y, x)."""
    places: Floats
    """(P, 2) pixels, (y, x)."""


def moving_edges(before: Grey, now: Grey, after: Grey) -> Edges:
    """Edges of `now` that move evenly from `before` to `after`, or stand still; maybe none."""
    places, normals = _strongest(now, after)
    found = Edges(np.empty(len(places)), np.empty((len(places), 2)), places)
    good = np.zeros(len(places), np.bool_)
    lines = [_across(frame, places, normals) for frame in (now, before, after)]
    for reach in REACHES:
        (rest,) = np.nonzero(~good)
        middle = lines[0].shape[1] // 2
        seen = slice(middle - reach, middle + reach + 1)
        ramps = best_ramps(lines[0][rest, seen])
        clear = _clear(ramps)
        rest, ramps = rest[clear], ramps.some(clear)
        earlier, later = (best_ramps(line[rest, seen]) for line in lines[1:])
        even = _same(ramps, earlier, later)
        kept = rest[even]
        way = (later.places - earlier.places)[even] / 2
        found.spreads[kept] = np.median([r.spreads for r in (ramps, earlier, later)], axis=0)[even]
        found.ways[kept] = way[:, None] * normals[kept]
        good[kept] = True
    return Edges(*(values[good] for values in found))


def _clear(ramps: Ramps) -> NDArray[np.bool_]:
    """Which ramps are edges."""
    contrasts = abs(ramps.contrasts)
    explained = ramps.errors < UNEXPLAINED[0] + UNEXPLAINED[1] * contrasts
    return ramps.seen & explained & (contrasts > MIN_CONTRAST)


def _same(now: Ramps, before: Ramps, after: Ramps) -> NDArray[np.bool_]:
    """Which edges of the three frames are one, that moves evenly."""
    steps = now.places - before.places, after.places - now.places
    way = abs(steps[0] + steps[1]) / 2
    same = (abs(steps[1] - steps[0]) < UNEVEN[0] + UNEVEN[1] * way) & (way < FARTHEST)
    width = np.sqrt(np.maximum(now.spreads, 0))
    for other in (before, after):
        off = abs(np.sqrt(np.maximum(other.spreads, 0)) - width)
        same &= _clear(other) & (off < UNEQUAL[0] + UNEQUAL[1] * width)
        same &= abs(other.contrasts / now.contrasts - 1) < ALIKE
    return same


def _strongest(now: Grey, after: Grey) -> tuple[Floats, Floats]:
    """Places (N, 2) of edges worth looking at, one of each cell, and ways across them (N, 2)."""
    change, smooth = _smooth(abs(after - now), 2), _smooth(now, 2)
    down, right = np.gradient(smooth)
    slope = np.hypot(down, right)
    margin = REACHES[-1]
    cells = [
        (y, x)
        for y in range(margin, now.shape[0] - margin - CELL + 1, CELL)
        for x in range(margin, now.shape[1] - margin - CELL + 1, CELL)
    ]
    steepest = [divmod(slope[y : y + CELL, x : x + CELL].argmax(), CELL) for y, x in cells]
    places = np.reshape(cells, (-1, 2)) + np.reshape(steepest, (-1, 2))
    at = tuple(places.T.astype(int))
    # The structure tensor: which way the slopes about a place go, and whether all go that way.
    downs, rights, both = (_smooth(field, 4)[at] for field in (down**2, right**2, down * right))
    angle = np.arctan2(2 * both, rights - downs) / 2
    straight = np.hypot(rights - downs, 2 * both) > STRAIGHT * (downs + rights)
    (clear,) = np.nonzero(straight & (slope[at] > MIN_CONTRAST / REACHES[1]))
    clear = clear[np.argsort(-change[at][clear], kind="stable")]
    moving, others = clear[:MOVING], clear[MOVING:]
    steep = others[np.argsort(-slope[at][others], kind="stable")[:STEEP]]
    best = np.concatenate([moving, steep])
    normals = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return places[best].astype(np.float64), normals[best].astype(np.float64)


def _across(frame: Grey, places: Floats, normals: Floats) -> Floats:
    """Lines (N, n) of the frame's brightness across edges, averaged along them."""
    across = np.arange(-REACHES[-1], REACHES[-1] + 1)[:, None]
    along = np.stack([-normals[:, 1], normals[:, 0]], axis=1)
    points = places[:, :, None, None] + normals[:, :, None, None] * across
    points = points + along[:, :, None, None] * ALONG  # (N, 2, n, 5)
    lines: Floats = _sampled(frame, points[:, 0], points[:, 1]).mean(axis=2)
    return lines


def _sampled(frame: Grey, y: Floats, x: Floats) -> Floats:
    """The frame between its pixels, by Keys' cubic: it leaves edges as wide as they are."""
    rows, columns = (
        [
            (place.clip(0, size - 1), keys_kernel(at - place))
            for place in (np.floor(at).astype(int) + n for n in range(-1, 3))
        ]
        for at, size in zip((y, x), frame.shape, strict=True)
    )
    found = np.zeros(y.shape)
    for row, above in rows:
        for column, beside in columns:
            found += above * beside * frame[row, column]
    return found


def _smooth(field: NDArray[np.floating], times: int) -> NDArray[np.floating]:
    """Averaged over neighbours so many times."""
    for _ in range(times):
        wide = np.pad(field, 1, mode="edge")
        tall = (wide[:-2] + 2 * wide[1:-1] + wide[2:]) / 4
        field = (tall[:, :-2] + 2 * tall[:, 1:-1] + tall[:, 2:]) / 4
    return field
