"""The exposure that leaves least unexplained, and how much that depends on what was asked."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEP = 1 / 40
PARTS = 10
"""Parts of the witnesses left out in turn, to see how much the answer depends on a moment, a place
or a direction."""


class Finding(NamedTuple):
    """What so many witnesses (patches, or edges) say of the exposure."""

    value: float
    """In steps of STEP."""
    error: float
    """Its standard error; infinite if there are too few to tell."""
    witnesses: int


NOTHING = Finding(math.nan, math.inf, 0)


def best_explanation(
    left: Floats, exposures: Floats, orders: Sequence[NDArray[np.floating | np.integer]]
) -> Finding:
    """What explains most, and its standard error by the jackknife.

    Args:
        left: (nuisances, exposures, P), how much each of P witnesses leaves unexplained, for each
            exposure that is tried and each value of what else is not known; P is PARTS at least.
        exposures: those tried, STEP apart.
        orders: the witnesses are put into each of these orders, (P,) each, and left out by tenths
            of it: what is close in one of them may be wrong together.
    """
    count = left.shape[2]
    total = left.sum(axis=2)
    errors = [STEP / 2]
    for order in orders:
        part = order.argsort(kind="stable").argsort() * PARTS // count
        without = [total - left[:, :, part == n].sum(axis=2) for n in range(PARTS)]
        found = [_best(rest, exposures) for rest in without]
        errors.append(math.sqrt((PARTS - 1) * np.var(found)))
    return Finding(_best(total, exposures), max(errors), count)


def least(total: Floats) -> tuple[int, int]:
    """Where (nuisances, exposures) is lowest."""
    nuisance, exposure = np.unravel_index(total.argmin(), total.shape)
    return int(nuisance), int(exposure)


def _best(total: Floats, exposures: Floats) -> float:
    return float(exposures[least(total)[1]])
