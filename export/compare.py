"""How two networks differ on one window: Polygraphy's comparison, with data range 1."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from polygraphy.comparator import IterationResult

from tsr.core.errors import ModelError
from tsr.core.metrics import psnr
from tsr.core.volume import Volume
from tsr.export.tolerance import Tolerance
from tsr.runtime.onnx_network import OUTPUT


@dataclass(frozen=True)
class Difference:
    """Two outputs for one window; true if they agree.

    Args:
        worst: largest absolute difference, infinite where one output is not a number.
        where: (channel, frame, row, column) of it in the output.
        mean: mean absolute difference. num_values: how many values it is the mean of.
        psnr: dB, data range 1, at most `tsr.core.metrics.PSNR_CAP`.
        first, second: the two outputs' frames (3, H, W) that hold the worst place.
        agrees: within tolerance.
    """

    worst: float
    where: tuple[int, int, int, int]
    mean: float
    num_values: int
    psnr: float
    first: NDArray[np.float32]
    second: NDArray[np.float32]
    agrees: bool

    def __bool__(self) -> bool:
        return self.agrees


def difference(first: Volume, second: Volume, tolerance: Tolerance) -> Difference:
    """Compare two outputs (3, T, H, W)."""
    with np.errstate(invalid="ignore"):  # infinity less infinity
        error = np.abs(np.subtract(first, second, dtype=np.float64))
    error[np.isnan(error)] = np.inf
    where = np.unravel_index(int(error.argmax()), error.shape)
    channel, frame, row, column = (int(index) for index in where)
    worst, decibels = float(error[where]), psnr(error, np.zeros_like(error))
    return Difference(
        worst=worst,
        where=(channel, frame, row, column),
        mean=float(error.mean()),
        num_values=error.size,
        psnr=decibels,
        first=first[:, frame].copy(),
        second=second[:, frame].copy(),
        agrees=worst <= tolerance.worst and decibels >= tolerance.min_psnr,
    )


@dataclass(frozen=True)
class CompareWindows:
    """A compare function for Polygraphy's Comparator. Its own takes the largest output for the
    peak of its PSNR, so that one figure would mean something else for every window."""

    tolerance: Tolerance

    def __call__(
        self, first: IterationResult, second: IterationResult
    ) -> "OrderedDict[str, Difference]":
        """Compare one window's outputs.

        Raises:
            ModelError: they have different shapes.
        """
        made, other = first[OUTPUT], second[OUTPUT]
        if made.shape != other.shape:
            raise ModelError(
                f"{second.runner_name} gives {other.shape} where {first.runner_name} gives "
                f"{made.shape}; they are networks of different kinds, export one of them again"
            )
        return OrderedDict([(OUTPUT, difference(made[0], other[0], self.tolerance))])
