"""Patches that move evenly: how far each travels per frame, and its spectrum, blur included.

A patch of one frame is looked for in the frame before and in the one after by normalised
cross-correlation. It counts if it is found in both, at one place alone, as far in the one direction
as in the other, and if its quarters by themselves go the same way: what holds an edge of something
that moves over a still ground seems to move less than it does, and so to be blurred for longer than
the shutter was open.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsr.trainer.exposure.fit import Floats

Grey = NDArray[np.float32]
"""(H, W) float32 in [0, 1]."""

SIDE = 32
"""Pixels of a patch's side."""
REACH = 16
"""Pixels that a patch is looked for to each side."""
STRIDE = 16
MOST = 48
"""Patches of a frame: those where it changes most."""

MIN_CHANGE = 2 / 255
"""Mean change to the next frame below which a patch is taken to stand still."""
MIN_LIKENESS = 0.8
"""Correlation at the place where a patch is found."""
SECOND_PLACE = 0.95
"""Share of it from which another place is as likely: along an edge, or in a repeated pattern."""
APART = 6
"""Pixels beyond which another place is another."""
WAYS = (2.0, 13.0)
"""Pixels per frame that tell about blur, and leave the blur room in a patch."""
UNEVEN = (0.5, 0.15)
"""Pixels, and share of the way, by which the ways before and after may differ."""

QUARTER = SIDE // 2
QUARTER_REACH = 5
"""Pixels about the patch's way that a quarter of it is looked for."""
ASTRAY = 2.0
"""Pixels from the patch's way at which a quarter goes another. One of four may: with none, or with
1 pixel, a clip of poured coffee has too few patches left, and its estimates are right with them."""
FLAT = 0.05
"""Share of the patch's power below which a quarter of it shows no way."""

LOW, HIGH = 0.06, 0.30
"""Frequencies used, in cycles per pixel: below them the patch's border shows, above them noise."""
NOISE = 4 / (12 * 255**2)
"""Variance of a pixel that tells nothing: four times that of rounding to 8 bits."""

WINDOW = np.outer(*[np.hanning(SIDE + 2)[1:-1]] * 2)


class Frequencies(NamedTuple):
    """The places of a patch's spectrum that are used, half a plane of them."""

    used: NDArray[np.bool_]
    """(SIDE, SIDE / 2 + 1): which of `rfft2`'s."""
    y: Floats
    """(K,) cycles per pixel."""
    x: Floats
    ring: NDArray[np.intp]
    """(K,) which ring about zero each lies in."""


class Patches(NamedTuple):
    """Evenly moving patches."""

    spectra: Floats
    """(P, K) logarithm of the power at `FREQUENCIES`."""
    ways: Floats
    """(P, 2) pixels per frame, (y, x)."""
    places: Floats
    """(P, 2) pixels of the upper left corner, (y, x)."""


def _frequencies() -> Frequencies:
    y, x = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")
    radius = np.hypot(y, x)
    used = (radius >= LOW) & (radius <= HIGH) & ~((x == 0) & (y < 0))
    ring = np.rint(radius[used] * SIDE).astype(np.intp)
    return Frequencies(used, y[used], x[used], ring - ring.min())


FREQUENCIES = _frequencies()


def moving_patches(before: Grey, now: Grey, after: Grey) -> Patches:
    """The liveliest patches of `now` that move evenly from `before` to `after`; maybe none."""
    corners = _liveliest(now, after)
    if not corners:
        return Patches(np.empty((0, len(FREQUENCIES.y))), *np.empty((2, 0, 2)))
    cut = np.stack([now[y : y + SIDE, x : x + SIDE] for y, x in corners])
    cut = cut - cut.mean((1, 2), keepdims=True)
    forth, found_after = _find(cut, after, corners)
    back, found_before = _find(cut, before, corners)
    length = np.hypot(*(forth - back).T) / 2
    even = np.hypot(*(forth + back).T) <= UNEVEN[0] + UNEVEN[1] * length
    good = found_after & found_before & even & (length >= WAYS[0]) & (length <= WAYS[1])
    power = np.abs(np.fft.rfft2(cut[good] * WINDOW)) ** 2
    noise = NOISE * (WINDOW**2).sum()
    spectra = np.log(power[:, FREQUENCIES.used] + noise)
    return Patches(spectra, (forth - back)[good] / 2, np.array(corners, np.float64)[good])


def _liveliest(now: Grey, after: Grey) -> list[tuple[int, int]]:
    """Upper left corners of the patches that change most, far enough from the border."""
    height, width = now.shape
    change = np.abs(after - now)
    places = [
        (float(change[y : y + SIDE, x : x + SIDE].mean()), y, x)
        for y in range(REACH, height - SIDE - REACH + 1, STRIDE)
        for x in range(REACH, width - SIDE - REACH + 1, STRIDE)
    ]
    best = sorted(places, reverse=True)[:MOST]
    return [(y, x) for change, y, x in best if change > MIN_CHANGE]


def _find(
    patches: NDArray[np.floating], other: Grey, corners: list[tuple[int, int]]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Where each patch has gone in another frame: (P, 2) pixels, and whether that is certain."""
    around = np.stack(
        [other[y - REACH : y + SIDE + REACH, x - REACH : x + SIDE + REACH] for y, x in corners],
        dtype=np.float64,
    )
    likeness = _correlation(patches, around)  # (P, 2 · REACH + 1, same)
    y, x, best = _top(likeness)
    rows, columns = np.arange(likeness.shape[1])[:, None], np.arange(likeness.shape[2])
    far = np.maximum(abs(rows - y[:, None, None]), abs(columns - x[:, None, None])) > APART
    second = np.where(far, likeness, -1).max((1, 2))
    inside = (y > 0) & (y < 2 * REACH) & (x > 0) & (x < 2 * REACH)
    way = _between_pixels(likeness, y, x) - REACH
    certain = inside & (best > MIN_LIKENESS) & (second < SECOND_PLACE * best)
    if certain.any():  # the quarters of others need not be asked
        places = np.array(corners)[certain]
        certain[certain] = _together(patches[certain], other, places, way[certain])
    return way, certain


def _together(
    patches: NDArray[np.floating], other: Grey, corners: NDArray[np.intp], way: Floats
) -> NDArray[np.bool_]:
    """Whether at least three quarters of each patch, or all that are not flat, go its way: (P,)."""
    other = np.pad(other, QUARTER_REACH, mode="edge")
    pixels = np.rint(way).astype(int)
    side = QUARTER + 2 * QUARTER_REACH
    lively, astray = np.zeros((2, len(corners)), int)
    for down, right in ((0, 0), (0, QUARTER), (QUARTER, 0), (QUARTER, QUARTER)):
        quarters = patches[:, down : down + QUARTER, right : right + QUARTER]
        quarters = quarters - quarters.mean((1, 2), keepdims=True)
        places = corners + pixels + (down, right)
        around = np.stack([other[y : y + side, x : x + side] for y, x in places], dtype=np.float64)
        likeness = _correlation(quarters, around)
        y, x, _ = _top(likeness)
        off = pixels + _between_pixels(likeness, y, x) - QUARTER_REACH - way
        moves = (quarters**2).sum((1, 2)) > FLAT * (patches**2).sum((1, 2))
        lively += moves
        astray += moves & (np.hypot(*off.T) > ASTRAY)
    together: NDArray[np.bool_] = astray <= np.maximum(lively - 3, 0)
    return together


def _top(likeness: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Row, column and value of the highest of each of (P, n, m): three times (P,)."""
    flat = likeness.reshape(len(likeness), -1)
    y, x = np.divmod(flat.argmax(1), likeness.shape[2])
    return y, x, flat.max(1)


def _between_pixels(likeness: Floats, y: NDArray[np.intp], x: NDArray[np.intp]) -> Floats:
    """Where the tops of (P, n, m) at (y, x) lie between pixels: (P, 2)."""
    every = np.arange(len(likeness))
    y, x = y.clip(1, likeness.shape[1] - 2), x.clip(1, likeness.shape[2] - 2)
    down = _vertex(*(likeness[every, y + n, x] for n in (-1, 0, 1)))
    right = _vertex(*(likeness[every, y, x + n] for n in (-1, 0, 1)))
    return np.stack([y + down, x + right], axis=1)


def _correlation(patches: NDArray[np.floating], around: Floats) -> Floats:
    """Normalised cross-correlation of patches (P, n, n) of mean 0 with (P, m, m)."""
    size = around.shape[1:]
    around = around - around.mean((1, 2), keepdims=True)
    product = np.conj(np.fft.rfft2(patches, size)) * np.fft.rfft2(around)
    side = patches.shape[1]
    fits = size[0] - side + 1
    together = np.fft.irfft2(product, size)[:, :fits, :fits]
    energy = _sums(around**2, side) - _sums(around, side) ** 2 / side**2
    own = (patches**2).sum((1, 2))[:, None, None]
    likeness: Floats = together / np.sqrt(np.maximum(energy * own, 1e-12))
    return likeness


def _sums(values: Floats, side: int) -> Floats:
    """Sums over all squares of so many pixels a side."""
    total = np.pad(values, ((0, 0), (1, 0), (1, 0))).cumsum(1).cumsum(2)
    tall = total[:, side:] - total[:, :-side]
    sums: Floats = tall[:, :, side:] - tall[:, :, :-side]
    return sums


def _vertex(left: Floats, middle: Floats, right: Floats) -> Floats:
    """Where the parabola through three samples, the middle one the highest, has its top."""
    bend = left - 2 * middle + right
    return np.where(bend < 0, (left - right) / np.where(bend < 0, 2 * bend, 1), 0.0)
