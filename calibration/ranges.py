"""Range estimators: up to which activation should the 255 (or 127, or 448) steps of a type reach?

Too far, and the steps are coarse for all; not far enough, and the largest values are cut off. All
estimators read the same histogram of a layer's outputs, which are never negative (behind a ReLU).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

BINS = 4096
"""Per layer: 16 to a step of 255, so that the estimators see where within a step values lie."""

PERCENTILE = 99.999
"""Share of the values that the estimator `percentile` covers. 99.99 lost 0.3 dB of a prototype."""

CANDIDATES = 64
"""Ranges that `least_error` tries, between a quarter of the largest value and the whole."""


@dataclass(frozen=True)
class Histogram:
    """How often a layer's outputs fall where.

    Args:
        counts: (BINS,) int64, of equal bins over [0, largest].
        largest: the largest value seen; 0 if the layer was silent.
    """

    counts: NDArray[np.int64]
    largest: float

    @classmethod
    def empty(cls, largest: float) -> Self:
        """No values yet, of which none will exceed `largest`."""
        return cls(np.zeros(BINS, np.int64), largest)

    def add(self, values: NDArray[np.float32]) -> None:
        """Count values in [0, largest]."""
        scale = BINS / max(self.largest, 1e-30)
        places = np.minimum((values.ravel() * scale).astype(np.int64), BINS - 1)
        self.counts[:] += np.bincount(places, minlength=BINS)

    @property
    def centres(self) -> NDArray[np.float64]:
        """The value that each bin stands for."""
        return np.asarray((np.arange(BINS) + 0.5) * (self.largest / BINS), np.float64)


def absolute_maximum(histogram: Histogram, steps: float) -> float:
    """Nothing that was seen is cut off."""
    del steps
    return histogram.largest


def percentile(histogram: Histogram, steps: float) -> float:
    """All but the `PERCENTILE` largest values fit."""
    del steps
    covered = np.cumsum(histogram.counts) / max(int(histogram.counts.sum()), 1)
    last = int(np.searchsorted(covered, PERCENTILE / 100))
    return histogram.largest * min(last + 1, BINS) / BINS


def least_error(histogram: Histogram, steps: float) -> float:
    """The range with the least squared error of rounding and cutting off together.

    Rounding in equal steps errs by step² / 12 on average; zero, which a ReLU makes often, is exact.
    """
    counts, centres = histogram.counts[1:], histogram.centres[1:]
    best, least = histogram.largest, np.inf
    for share in np.linspace(0.25, 1.0, CANDIDATES):
        reach = histogram.largest * share
        inside = centres <= reach
        rounding = (reach / steps) ** 2 / 12 * counts[inside].sum()
        cut = (counts[~inside] * (centres[~inside] - reach) ** 2).sum()
        if rounding + cut <= least:
            best, least = reach, rounding + cut
    return float(best)


ESTIMATORS: dict[str, Callable[[Histogram, float], float]] = {
    "absmax": absolute_maximum,
    "percentile": percentile,
    "least-error": least_error,
}
"""By name; each takes a histogram and the number of steps of the type, and returns a range."""
