"""Patches that move evenly: how far each travels per frame, and its spectrum, blur included.

What the estimate of the exposure (`tsr.trainer.exposure`) looks at. A patch of one frame is looked
for in the frame before and in the one after by normalised cross-correlation. It counts if it is
found in both, at one place alone, and as far in the one direction as in the other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
"""(H, W) float32 in [0, 1]."""
Floats = NDArray[np.float64]

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
    patches: Floats, other: Grey, corners: list[tuple[int, int]]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Where each patch has gone in another frame: (P, 2) pixels, and whether that is certain."""
    around = np.stack(
        [other[y - REACH : y + SIDE + REACH, x - REACH : x + SIDE + REACH] for y, x in corners]
    )
    likeness = _correlation(patches, around.astype(np.float64))  # (P, 2 · REACH + 1, same)
    count, side = likeness.shape[:2]
    every = np.arange(count)
    y, x = np.divmod(likeness.reshape(count, -1).argmax(1), side)
    best = likeness[every, y, x]
    rows, columns = np.arange(side)[:, None], np.arange(side)
    far = np.maximum(abs(rows - y[:, None, None]), abs(columns - x[:, None, None])) > APART
    second = np.where(far, likeness, -1).reshape(count, -1).max(1)
    inside = (y > 0) & (y < side - 1) & (x > 0) & (x < side - 1)
    y, x = y.clip(1, side - 2), x.clip(1, side - 2)
    way = np.stack(
        [
            y - REACH + _vertex(*(likeness[every, y + n, x] for n in (-1, 0, 1))),
            x - REACH + _vertex(*(likeness[every, y, x + n] for n in (-1, 0, 1))),
        ],
        axis=1,
    )
    return way, inside & (best > MIN_LIKENESS) & (second < SECOND_PLACE * best)


def _correlation(patches: Floats, around: Floats) -> Floats:
    """Normalised cross-correlation of patches (P, n, n) of mean 0 with (P, m, m)."""
    size = around.shape[1:]
    around = around - around.mean((1, 2), keepdims=True)
    product = np.conj(np.fft.rfft2(patches, size)) * np.fft.rfft2(around)
    fits = size[0] - SIDE + 1
    together = np.fft.irfft2(product, size)[:, :fits, :fits]
    energy = _sums(around**2) - _sums(around) ** 2 / SIDE**2
    own = (patches**2).sum((1, 2))[:, None, None]
    likeness: Floats = together / np.sqrt(np.maximum(energy * own, 1e-12))
    return likeness


def _sums(values: Floats) -> Floats:
    """Sums over all squares of a patch's size."""
    total = np.pad(values, ((0, 0), (1, 0), (1, 0))).cumsum(1).cumsum(2)
    tall = total[:, SIDE:] - total[:, :-SIDE]
    sums: Floats = tall[:, :, SIDE:] - tall[:, :, :-SIDE]
    return sums


def _vertex(left: Floats, middle: Floats, right: Floats) -> Floats:
    """Where the parabola through three samples, the middle one the highest, has its top."""
    bend = left - 2 * middle + right
    return np.where(bend < 0, (left - right) / np.where(bend < 0, 2 * bend, 1), 0.0)
