"""Ramps between two plains: where the edge in a line of brightness is, and how wide.

A line across an edge is explained by a straight line on either side and a ramp between them, by
least squares, for every place and width that is tried.
"""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsr.trainer.exposure.fit import Floats

NARROW = (-2, -1.5, -1, -0.6, -0.3, 0, 0.3, 0.6, 1, 1.5, 2, 2.5, 3)
"""Squared widths tried in steps, in pixels. Below 0 are edges that are sharper than a pixel's own
average, by as much as the width blurs: so chance errs to either side of 0, too."""
WIDTH_STEP = 0.5
"""Pixels between widths tried from 2 on."""
PLACES = 64
"""Places tried in half a line: half as many let narrow edges seem sharper than they are."""
WIDEST, FARTHEST = 1.25, 0.65
"""Of the line's half: the widest ramp, and the place furthest from its middle."""
MIN_PLAIN = 3
"""Pixels on either side of a ramp that must be seen."""


class Ramps(NamedTuple):
    """The ramps that explain N lines best."""

    places: Floats
    """(N,) pixels from the middle of the line."""
    spreads: Floats
    """(N,) squared width in pixels, less what a pixel's own average adds; may be negative."""
    contrasts: Floats
    """(N,) how far the right is brighter than the left."""
    errors: Floats
    """(N,) root mean square of what is not explained."""
    seen: NDArray[np.bool_]
    """(N,) whether the ramp and a plain on either side lie within the line."""

    def some(self, which: NDArray[np.bool_]) -> "Ramps":
        """Those of `which` (N,)."""
        places, spreads, contrasts, errors = (values[which] for values in self[:4])
        return Ramps(places, spreads, contrasts, errors, self.seen[which])


class _Templates(NamedTuple):
    spreads: Floats  # (W,) squared widths
    places: Floats  # (X,)
    bases: Floats  # (n, W · X · 4): orthonormal within each template


def best_ramps(lines: Floats) -> Ramps:
    """What explains each of `lines` (N, n), n odd, best."""
    count, size = lines.shape
    spreads, places, bases = _templates(size // 2)
    lines = lines - lines.mean(axis=1, keepdims=True)
    explained = ((lines @ bases) ** 2).reshape(count, len(spreads), len(places), 4).sum(axis=3)
    left = np.maximum((lines**2).sum(axis=1)[:, None, None] - explained, 0)
    every = np.arange(count)
    flat = left.reshape(count, len(spreads) * len(places))
    wide, place = np.divmod(flat.argmin(axis=1), len(places))
    inside = (wide < len(spreads) - 1) & (place > 0) & (place < len(places) - 1)
    errors = np.sqrt(left[every, wide, place] / size)
    wide, place = wide.clip(1, len(spreads) - 2), place.clip(1, len(places) - 2)
    wider = _lowest(*(left[every, wide + n, place] for n in (-1, 0, 1)))
    further = _lowest(*(left[every, wide, place + n] for n in (-1, 0, 1)))
    step = np.where(wider > 0, spreads[wide + 1] - spreads[wide], spreads[wide] - spreads[wide - 1])
    spread, middle = spreads[wide] + wider * step, places[place] + further * (places[1] - places[0])
    contrasts, plain = _sides(lines, middle, np.sqrt(np.maximum(spread, 0)))
    return Ramps(middle, spread, contrasts, errors, inside & plain)


def _sides(lines: Floats, middle: Floats, width: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """How far the right side of each ramp is brighter, and whether both sides are seen: (N,)."""
    away = np.arange(lines.shape[1]) - lines.shape[1] // 2 - middle[:, None]
    border = width[:, None] / 2 + 0.5
    left, right = away < -border, away > border
    darker = (lines * left).sum(axis=1) / np.maximum(left.sum(axis=1), 1)
    brighter = (lines * right).sum(axis=1) / np.maximum(right.sum(axis=1), 1)
    return brighter - darker, np.minimum(left.sum(axis=1), right.sum(axis=1)) >= MIN_PLAIN


def _lowest(before: Floats, middle: Floats, after: Floats) -> Floats:
    """Where, in steps, the parabola through three values is lowest: half a step away at most."""
    bend = before - 2 * middle + after
    curved = bend > 1e-12
    place: Floats = np.where(curved, (before - after) / np.where(curved, 2 * bend, 1), 0)
    return place.clip(-0.5, 0.5)


@functools.cache
def _templates(half: int) -> _Templates:
    spreads = np.array([*NARROW, *np.arange(2, WIDEST * half + WIDTH_STEP / 2, WIDTH_STEP) ** 2])
    most = int(FARTHEST * PLACES)
    places = np.arange(-most, most + 1) * half / PLACES
    bases = [_basis(half, place, spread) for spread in spreads for place in places]
    return _Templates(spreads, places, np.concatenate(bases, axis=1))


def _basis(half: int, place: float, spread: float) -> Floats:
    """(n, 4) orthonormal: brightness, ramp, and a slope on either side."""
    x = np.arange(-half, half + 1.0) - place
    ramp = _ramp(x, abs(spread) ** 0.5)
    if spread < 0:
        ramp = 2 * _ramp(x, 0) - ramp
    edge = max(spread, 0) ** 0.5 / 2
    slopes = np.minimum(x + edge, 0) / half, np.maximum(x - edge, 0) / half
    basis: Floats = np.linalg.qr(np.stack([np.ones_like(x), ramp, *slopes], axis=1))[0]
    return basis


def _ramp(x: Floats, width: float) -> Floats:
    """From 0 to 1 over `width`, the mean over each pixel."""

    def area(to: Floats) -> Floats:
        inside: Floats = (to + width / 2).clip(0, width)
        return inside**2 / (2 * max(width, 1e-9)) + np.maximum(to - width / 2, 0)

    return area(x + 0.5) - area(x - 0.5)
