"""Tile geometry: a network without padding inside, windows with a margin taken by clamped index.

Each output voxel is computed from the same neighbourhood whichever tile it falls in, so that tile
sizes never show in the result. Beyond the video's border its last frame, row or column repeats.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsr.core.network_shape import KERNELS
from tsr.core.volume import Volume

Span = tuple[int, int]
"""A half-open range [first, last) along one axis."""


@dataclass(frozen=True)
class Halo:
    """Margin that the network consumes on each side: its receptive radius."""

    t: int
    h: int
    w: int


NETWORK_HALO = Halo(*(sum(kernel[axis] // 2 for kernel in KERNELS) for axis in range(3)))
"""Radius of the eight layers: three 3×3×3 and five 1×3×3 convolutions (paper, Fig. 8a)."""

MOTION_REACH = 2
"""Frames on each side of one on which its two at twice the rate depend where they are moved along
their motion: it is followed to the next one, and the one behind that tells how it changes."""


def spans(length: int, size: int, first: int = 0) -> Iterator[Span]:
    """Cut [first, first + length) into ranges of `size`; the last one may be shorter."""
    for start in range(first, first + length, size):
        yield start, min(start + size, first + length)


def even_share(length: int, most: int) -> int:
    """The size of ranges of at most `most` when as few as it takes share a length evenly."""
    return -(-length // -(-length // most))


def clamped(span: Span, halo: int, length: int) -> NDArray[np.intp]:
    """Indices of `span` widened by `halo`, held inside [0, length)."""
    return np.clip(np.arange(span[0] - halo, span[1] + halo), 0, length - 1)


def gather(volume: Volume, rows: Span, columns: Span, halo: Halo) -> Volume:
    """Cut (C, T, rows + 2·halo.h, columns + 2·halo.w) out of a (C, T, H, W) volume."""
    height, width = volume.shape[2:]
    index_h = clamped(rows, halo.h, height)
    index_w = clamped(columns, halo.w, width)
    inside_h = slice(index_h[0], index_h[-1] + 1)
    inside_w = slice(index_w[0], index_w[-1] + 1)
    window = volume[:, :, inside_h, inside_w]
    if window.shape[2:] == (len(index_h), len(index_w)):
        return np.ascontiguousarray(window)
    return window[:, :, index_h - index_h[0]][:, :, :, index_w - index_w[0]]
