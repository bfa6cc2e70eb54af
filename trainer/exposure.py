"""`--exposure auto`: how long the shutter was open, from the blur of what moves evenly.

A patch that moves by d pixels per frame while the shutter is open for a part e of it is smeared
over e·d pixels: its power at the frequency k falls by sinc²(e · k·d). What the patch would show at
rest is not known, but nothing else in a spectrum depends on k·d, the periods travelled per frame.
So the logarithm of the power of many patches is explained as

    power of the patch + what all have at |k| + log(sinc²(e · k·d) + floor)

and the e that leaves least unexplained is the exposure. Motion too fast to be followed, waves of a
liquid, or a video in which little moves give few patches, or an answer that depends on which of
them are asked, because what moves is striped by itself: the error says so.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsr.core.exposure import DELTA, FULL
from tsr.core.resize import halving_matrix
from tsr.trainer.patches import FREQUENCIES, SIDE, Floats, Grey, Patches, moving_patches

SHORT_SIDE = 540
"""Pixels above which frames are halved first."""
SIZES = 3
"""Each frame is looked at in so many sizes, each half the one before: fast motion fits one."""
MOMENTS = 28
"""Frames looked at, spread over the video."""

STEP = 1 / 40
CANDIDATES = np.arange(-24, 57) * STEP
"""Exposures tried. What lies beyond 0 and 1, below 0 as if motion sharpened, is how chance and
mistaken speeds show, which would otherwise hide at the ends."""
FLOORS = (0.003, 0.01, 0.03, 0.1)
"""Power that is left where the blur takes all: noise, and motion not quite even."""

MIN_PATCHES = 30
"""Fewer show one thing's own pattern rather than blur."""
MAX_ERROR = 0.1
"""Standard error up to which an estimate is trusted."""
FAR = 3
"""Standard errors. An estimate that lies further from full is trusted whatever its error: it is
closer to the truth than full is, which would be taken instead."""
NEARLY_FULL = 0.85
"""From here on the exposure is taken to be full: real motion is never quite even, and what blurs
less than even motion would looks like a shorter exposure."""
PARTS = 10
"""Parts of the patches left out in turn, to see how much the answer depends on a moment, a place or
a direction."""


@dataclass(frozen=True)
class ExposureEstimate:
    """What a video shows about its exposure.

    Args:
        value: the estimate, in [0, 1]. error: its standard error, or how far it lay outside.
        patches: evenly moving patches that it rests on.
    """

    value: float
    error: float
    patches: int

    @property
    def confident(self) -> bool:
        """Whether the estimate is worth following."""
        clear = self.error <= MAX_ERROR or self.value + FAR * self.error < FULL
        return self.patches >= MIN_PATCHES and clear

    @property
    def exposure(self) -> float:
        """What to follow: the estimate, or full where it is nearly so or not sure."""
        return self.value if self.confident and self.value < NEARLY_FULL else FULL

    def line(self) -> str:
        """The finding in one line for people."""
        seen = f"{self.patches} evenly moving patches"
        if self.patches < MIN_PATCHES:
            return f"exposure full: the video shows only {seen}, {MIN_PATCHES} are needed to tell"
        found = f"{self.value:.2f} ± {self.error:.2f} by {seen}"
        if not self.confident:
            return f"exposure full: the estimate is not sure enough ({found})"
        name = {FULL: "full", DELTA: "delta"}.get(self.exposure, f"{self.exposure:.3g}")
        return f"exposure {name}: estimated {found}"


class ExposureMeter:
    """Watches the frames of a video go by, and then says how long the shutter was open.

    Args:
        num_frames: frames of the video; a few moments of it are looked at.
    """

    def __init__(self, num_frames: int) -> None:
        inner = np.linspace(1, max(num_frames - 2, 1), min(MOMENTS, max(num_frames - 2, 1)))
        self._middles = {int(middle) for middle in inner}
        self._found: list[Patches] = []

    def watch(self, frames: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Hand on frames (3, H, W), having looked at them."""
        last: list[Grey] = []
        for number, frame in enumerate(frames):
            if self._middles & {number - 1, number, number + 1}:
                last = [*last[-2:], _shrunk(frame.mean(axis=0))]
            if number - 1 in self._middles:
                self._look(*last)
            yield frame

    def _look(self, before: Grey, now: Grey, after: Grey) -> None:
        for size in range(SIZES):
            found = moving_patches(before, now, after)
            self._found.append(found._replace(places=found.places * 2**size))
            before, now, after = _half(before), _half(now), _half(after)

    def estimate(self) -> ExposureEstimate:
        """The exposure by all that was seen."""
        if not self._found:
            return ExposureEstimate(FULL, math.inf, 0)
        patches = Patches(*(np.concatenate(parts) for parts in zip(*self._found, strict=True)))
        count = len(patches.ways)
        if count < PARTS:
            return ExposureEstimate(FULL, math.inf, count)
        left = _unexplained(patches)
        found = _best(left)
        value = round(min(max(found, DELTA), FULL), 3)
        (y, x), (down, right) = patches.places.T, patches.ways.T
        errors = [_error(left, by) for by in (np.arange(count), y, x, np.arctan2(down, right))]
        return ExposureEstimate(value, max(*errors, abs(found - value), STEP / 2), count)


def _unexplained(patches: Patches) -> Floats:
    """(floors, candidates, P): squared deviations of each patch's spectrum from the model."""
    ways = patches.ways
    travelled = ways[:, :1] * FREQUENCIES.y + ways[:, 1:] * FREQUENCIES.x  # (P, K) periods
    # A patch's window smears its spectrum over the neighbouring frequencies.
    smear = np.hypot(*ways.T)[:, None] / SIDE
    seen = _own(patches.spectra)
    left = np.empty((len(FLOORS), len(CANDIDATES), len(ways)))
    for n, exposure in enumerate(CANDIDATES):
        blur = (
            4 * np.sinc(exposure * travelled) ** 2
            + np.sinc(exposure * (travelled + smear)) ** 2
            + np.sinc(exposure * (travelled - smear)) ** 2
        ) / 6
        for m, floor in enumerate(FLOORS):
            change = np.copysign(1, exposure) * np.log(blur + floor)
            left[m, n] = ((seen - _own(change)) ** 2).sum(axis=1)
    return left


def _own(table: Floats) -> Floats:
    """(P, K) less the mean of each patch and of each ring of frequencies over all patches."""
    rings = np.bincount(FREQUENCIES.ring, table.sum(axis=0)) / np.bincount(FREQUENCIES.ring)
    means: Floats = table.mean(axis=1, keepdims=True) - table.mean()
    return table - means - rings[FREQUENCIES.ring] / len(table)


def _best(left: Floats) -> float:
    total = left.sum(axis=2)
    return float(CANDIDATES[np.unravel_index(total.argmin(), total.shape)[1]])


def _error(left: Floats, by: NDArray[np.floating | np.integer]) -> float:
    """Standard error by the jackknife, patches being left out in order of `by`."""
    part = by.argsort(kind="stable").argsort() * PARTS // len(by)
    return math.sqrt((PARTS - 1) * np.var([_best(left[:, :, part != n]) for n in range(PARTS)]))


def _half(grey: Grey) -> Grey:
    height, width = (size // 2 * 2 for size in grey.shape)
    rows, columns = halving_matrix(height, 1), halving_matrix(width, 1)
    return np.asarray(rows @ grey[:height, :width] @ columns.T, np.float32)


def _shrunk(grey: Grey) -> Grey:
    while min(grey.shape) > SHORT_SIDE:
        grey = _half(grey)
    return grey
