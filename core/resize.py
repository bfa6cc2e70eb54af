"""Cubic resampling: the only cubic formula of the project.

`cubic_taps` plans one axis as a table of source indices and weights; `apply_taps` applies a table
along any axis. The CPU fast path, the torch operators and the CUDA kernels are handed these tables.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsr.core.exposure import FULL
from tsr.core.rect import exposure_weights
from tsr.core.volume import Volume

KEYS_A = -0.5
"""Parameter of the Keys kernel; -0.5 as in MATLAB's `imresize` and Pillow, not OpenCV's -0.75."""


@dataclass(frozen=True, eq=False)
class ResampleTaps:
    """How each output sample of one axis is a weighted sum of input samples.

    Args:
        index: (n_out, k) int32 source positions, all inside the axis.
        weight: (n_out, k) float32, each row sums to 1; taps outside the axis carry weight 0.
        n_in: length of the source axis.
    """

    index: NDArray[np.int32]
    weight: NDArray[np.float32]
    n_in: int

    def rows(self, wanted: NDArray[np.intp]) -> "ResampleTaps":
        """The taps of chosen output samples, still addressing the whole source axis."""
        return ResampleTaps(self.index[wanted], self.weight[wanted], self.n_in)

    def needs(self) -> tuple[int, int]:
        """The source range [first, last) that these taps read with a weight that counts."""
        used = self.index[self.weight != 0]
        return int(used.min()), int(used.max()) + 1

    def within(self, first: int, last: int) -> "ResampleTaps":
        """The same taps for a source of which only [first, last) is at hand."""
        index = np.clip(self.index - first, 0, last - first - 1).astype(np.int32)
        return ResampleTaps(index, self.weight, last - first)

    def matrix(self) -> NDArray[np.float32]:
        """The same operator as a dense (n_out, n_in) matrix."""
        rows = np.arange(len(self.index))[:, None]
        dense = np.zeros((len(self.index), self.n_in), np.float32)
        np.add.at(dense, (rows, self.index), self.weight)
        return dense


def keys_kernel(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel with `KEYS_A`, support [-2, 2]."""
    x = np.abs(distance)
    inner = ((KEYS_A + 2) * x - (KEYS_A + 3)) * x**2 + 1
    outer = KEYS_A * (((x - 5) * x + 8) * x - 4)
    return np.where(x < 1, inner, np.where(x < 2, outer, 0.0))


@functools.lru_cache(maxsize=256)
def cubic_taps(n_in: int, n_out: int, shift: float = 0.0) -> ResampleTaps:
    """Plan a cubic resize of one axis from `n_in` to `n_out` samples.

    Args:
        shift: read so many source samples further on.

    Half-pixel centres; the kernel is widened when shrinking (antialiasing); taps that fall outside
    the axis are dropped and the rest renormalised. Agrees with Pillow's BICUBIC on float images.
    """
    step = n_in / n_out
    stretch = max(step, 1.0)
    support = 2.0 * stretch
    centre = (np.arange(n_out) + 0.5) * step + shift
    first = np.floor(centre - support + 0.5).astype(np.int64)
    last = np.floor(centre + support + 0.5).astype(np.int64)
    index = first[:, None] + np.arange(math.ceil(int((last - first).max())))
    weight = keys_kernel((index + 0.5 - centre[:, None]) / stretch)
    weight[(index < 0) | (index >= n_in) | (index >= last[:, None])] = 0.0
    weight /= weight.sum(axis=1, keepdims=True)
    used = np.flatnonzero((weight != 0).any(axis=0))
    columns = slice(used[0], used[-1] + 1)
    return ResampleTaps(
        np.clip(index, 0, n_in - 1)[:, columns].astype(np.int32),
        weight[:, columns].astype(np.float32),
        n_in,
    )


def apply_taps(volume: Volume, taps: ResampleTaps, axis: int) -> Volume:
    """Resample one axis of `volume`; the axis gets `len(taps.index)` samples."""
    shape = [1] * volume.ndim
    shape[axis] = -1
    result = np.zeros(
        (*volume.shape[:axis], len(taps.index), *volume.shape[axis + 1 :]), np.float32
    )
    for k in range(taps.index.shape[1]):
        result += np.take(volume, taps.index[:, k], axis) * taps.weight[:, k].reshape(shape)
    return result


def double_taps(n_in: int, exposure: float = FULL) -> ResampleTaps:
    """Cubic interpolation in time to twice the frame rate (paper 4.1: the network's input).

    A frame shows the centre of gravity of its exposure. The mean of a whole pair lies half a fast
    frame after the first of the two, as half-pixel centres have it; an exposure that ends earlier
    lies nearer to the first, so that the same instants are found further on.
    """
    late = float(exposure_weights(2, exposure)[1])
    return cubic_taps(n_in, 2 * n_in, (0.5 - late) / 2)


def halving_matrix(size: int, halvings: int) -> NDArray[np.float32]:
    """(size / 2^halvings, size): several bicubic halvings of one axis as a single matrix."""
    product = np.eye(size, dtype=np.float32)
    for _ in range(halvings):
        product = cubic_taps(len(product), len(product) // 2).matrix() @ product
    return product


def resize_t(volume: Volume, num_frames: int) -> Volume:
    """(C, T, H, W) → (C, num_frames, H, W), cubic in time (paper 4.1: the network's input)."""
    return apply_taps(volume, cubic_taps(volume.shape[1], num_frames), 1)


def resize_hw(volume: Volume, height: int, width: int) -> Volume:
    """(C, T, H, W) → (C, T, height, width), bicubic, antialiased when shrinking."""
    tall = apply_taps(volume, cubic_taps(volume.shape[2], height), 2)
    return apply_taps(tall, cubic_taps(volume.shape[3], width), 3)
