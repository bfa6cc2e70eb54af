"""The exposure by moving edges: how wide each has become, for how far it moves.

An edge that moves by d pixels per frame across itself becomes a ramp of e·d pixels while the
shutter is open for a part e of the frame. It was not quite sharp before: squares of widths add up,
so the squared widths of many edges are explained as (e·d)² and one more number, the sharpness
of all. Edges that move slowly tell that number, fast ones e.
"""

import math

import numpy as np

from tsr.trainer.exposure.edges import Edges
from tsr.trainer.exposure.fit import NOTHING, PARTS, STEP, Finding, Floats, best_explanation, least

CANDIDATES: Floats = np.arange(57, dtype=np.float64) * STEP
"""Exposures tried. What lies beyond 1 is how mistaken speeds show."""
FAST = 2.0
"""Pixels per frame from which an edge tells about blur. All slower ones together count half as much
as these, or less."""
SHARPNESS = np.array([*np.arange(0, 2, 0.25), 2, 2.5, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30, 40, 55])
"""Squared widths at rest that are tried, in pixels."""
TOLERANCE = (0.5, 0.1)
"""Error to be expected of a squared width, in pixels and as a share of it."""
MOST_UNEXPLAINED = 3.0
"""Of such errors: what is further off was no edge, and how far tells nothing."""
AGREED = 0.75
"""Of such errors, of the middle one of the fast edges, up to which these tell of one blur. Those of
shapes leave 0.1 to 0.5; what else looks like edges, in textures, 0.9 to 3."""
SOFT = 0.003
"""What each squared pixel of softness costs. Where all edges move alike, nothing else tells it from
blur."""
AS_GOOD = 0.01
"""What explains so much less, by each edge in the mean, may be as true: taken for two standard
errors."""


def exposure_by_edges(edges: Edges) -> Finding:
    """What the blur of moving edges says, if they tell of one; the count is of the fast ones."""
    length = np.hypot(*edges.ways.T)
    fast = length >= FAST
    count = int(fast.sum())
    if count < PARTS:
        return NOTHING._replace(witnesses=count)
    weights = np.where(fast, 1.0, min(1.0, count / 2 / max(len(fast) - count, 1)))
    (y, x), (down, right) = edges.places.T, edges.ways.T
    orders = (np.arange(len(fast)), y, x, np.arctan2(down, right), length)
    left = _unexplained(edges.spreads, length)
    if np.median(left[least((left * weights).sum(axis=2))][fast]) > AGREED:
        return NOTHING
    left = (left + SOFT * SHARPNESS[:, None, None]) * weights
    found = best_explanation(left, CANDIDATES, orders)
    off = max(found.error, _as_good(left, found.value) / 2)
    return Finding(found.value, math.hypot(off, _unknowable(found.value, length[fast])), count)


def _unexplained(spreads: Floats, length: Floats) -> Floats:
    """(SHARPNESS, CANDIDATES, P): errors of the model, as multiples of what is to be expected."""
    blur = CANDIDATES[:, None] ** 2 * length**2
    off = np.abs(spreads - blur - SHARPNESS[:, None, None])
    expected = TOLERANCE[0] + TOLERANCE[1] * np.maximum(spreads, 0)
    unexplained: Floats = np.minimum(off / expected, MOST_UNEXPLAINED)
    return unexplained


def _as_good(left: Floats, exposure: float) -> float:
    """How far off exposures are that explain nearly as much."""
    total = left.sum(axis=2).min(axis=0)
    good = total <= total.min() + AS_GOOD * left.shape[2]
    return float(abs(CANDIDATES[good] - exposure).max())


def _unknowable(exposure: float, length: Floats) -> float:
    """What all edges' squared widths being off by the tolerance would change.

    The profile of an edge at rest is not known that well, and no leaving out would show it.
    """
    return math.sqrt(exposure**2 + TOLERANCE[0] / np.mean(length**2)) - exposure
