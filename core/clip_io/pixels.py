"""Stored samples to float RGB and back: matrix, range, chroma siting, rounding. NumPy only.

Chroma of 4:2:0 and 4:2:2 sits on the left luma column of its pair and, in 4:2:0, half-way between
its two rows (the MPEG-2, H.264 and HEVC default). It is widened linearly and narrowed with the
adjoint taps. Frames are worked on in bands of rows that fit the processor's cache.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io.colour import Colour

Plane = NDArray[Any]
"""(rows, columns) uint8 or uint16 samples of one component."""
Frame = NDArray[np.float32]
"""(3, H, W) float32 RGB in [0, 1], gamma-encoded as in the file."""

BAND_ROWS = 64
"""Rows converted at a time; even, so that no pair of chroma rows is split. Fastest of 8 to 128."""


@dataclass(frozen=True)
class Layout:
    """How a planar pixel format stores its samples."""

    kind: str
    """"yuv", "rgb" (planes in the order G, B, R) or "grey"."""
    depth: int
    """Bits per sample, 8 to 16; above 8, samples are little-endian uint16."""
    halve_columns: bool = False
    """Chroma has half the columns (4:2:0, 4:2:2)."""
    halve_rows: bool = False
    """Chroma has half the rows (4:2:0)."""

    @property
    def chroma(self) -> str:
        """ "420", "422" or "444" of a "yuv" layout, else the kind."""
        if self.kind != "yuv":
            return self.kind
        return "444" if not self.halve_columns else "420" if self.halve_rows else "422"

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Sample type in memory."""
        return np.uint8 if self.depth == 8 else np.uint16


def to_rgb(planes: Sequence[Plane], layout: Layout, colour: Colour) -> Frame:
    """(3, H, W) float32 RGB of a stored frame, clipped to [0, 1]."""
    height, width = planes[0].shape
    rgb: Frame = np.empty((3, height, width), np.float32)
    if layout.kind == "rgb":
        green, blue, red = planes
        for channel, plane in zip(rgb, (red, green, blue), strict=True):
            np.multiply(plane, np.float32(1 / (2**layout.depth - 1)), out=channel)
        return rgb
    scale, offset = _luma_scale(layout.depth, colour.full_range)
    if layout.kind == "grey":
        np.multiply(planes[0], np.float32(1 / scale), out=rgb[0])
        rgb[0] -= np.float32(offset / scale)
        np.clip(rgb[0], 0, 1, out=rgb[0])
        rgb[1:] = rgb[0]
        return rgb
    _yuv_to_rgb(planes, layout, colour, rgb)
    return rgb


def _yuv_to_rgb(planes: Sequence[Plane], layout: Layout, colour: Colour, rgb: Frame) -> None:
    # Sums written out, not a matrix product: BLAS threads wait for each other on a busy machine.
    height, width = rgb.shape[1:]
    k_red, k_blue = colour.luma_weights
    k_green = 1 - k_red - k_blue
    luma_scale, luma_offset = _luma_scale(layout.depth, colour.full_range)
    chroma_scale, chroma_offset = _chroma_scale(layout.depth, colour.full_range)
    red_gain = np.float32(2 * (1 - k_red) / chroma_scale)
    blue_gain = np.float32(2 * (1 - k_blue) / chroma_scale)
    green_of_red, green_of_blue = np.float32(k_red / k_green), np.float32(k_blue / k_green)
    for first, last in _bands(height):
        red, green, blue = rgb[:, first:last]
        luma = planes[0][first:last].astype(np.float32)
        luma -= np.float32(luma_offset)
        luma *= np.float32(1 / luma_scale)
        # R - Y and B - Y; then G - Y, since k_red (R - Y) + k_green (G - Y) + k_blue (B - Y) = 0.
        blue_part = _widen(planes[1], layout, first, last, width, chroma_offset, blue_gain)
        red_part = _widen(planes[2], layout, first, last, width, chroma_offset, red_gain)
        np.add(luma, blue_part, out=blue)
        np.add(luma, red_part, out=red)
        blue_part *= green_of_blue
        red_part *= green_of_red
        np.subtract(luma, blue_part, out=green)
        green -= red_part
        for channel in (red, green, blue):
            np.clip(channel, 0, 1, out=channel)


def _widen(
    plane: Plane, layout: Layout, first: int, last: int, width: int, zero: float, gain: np.float32
) -> NDArray[np.float32]:
    """Rows `first` to `last` of a chroma plane at the luma size, as (level - zero) · gain."""
    if not layout.halve_rows:
        rows = plane[first:last].astype(np.float32)
        rows -= np.float32(zero)
        rows *= gain
    else:
        # Row 2n lies a quarter above chroma row n, row 2n+1 a quarter below it.
        low, high = first // 2 - 1, (last + 1) // 2 + 1
        needed = plane[np.clip(np.arange(low, high), 0, len(plane) - 1)].astype(np.float32)
        needed -= np.float32(zero)
        needed *= gain * np.float32(0.25)
        near = needed[1:-1] * np.float32(3)
        rows = np.empty((2 * len(near), plane.shape[1]), np.float32)
        np.add(near, needed[:-2], out=rows[0::2])
        np.add(near, needed[2:], out=rows[1::2])
        rows = rows[: last - first]
    if not layout.halve_columns:
        return rows
    wide = np.empty((last - first, 2 * rows.shape[1]), np.float32)
    wide[:, 0::2] = rows
    wide[:, -1] = rows[:, -1]
    between = wide[:, 1:-1:2]
    np.add(rows[:, :-1], rows[:, 1:], out=between)
    between *= np.float32(0.5)
    return wide[:, :width]


def from_rgb(rgb: Frame, layout: Layout, colour: Colour) -> list[Plane]:
    """Stored samples of a (3, H, W) float32 frame, clipped to [0, 1] and rounded to nearest."""
    if layout.kind == "rgb":
        red, green, blue = rgb
        peak = 2**layout.depth - 1
        return [_rounded(plane.copy(), peak, 0, layout) for plane in (green, blue, red)]
    return _yuv_from_rgb(rgb, layout, colour)


def _yuv_from_rgb(rgb: Frame, layout: Layout, colour: Colour) -> list[Plane]:
    height, width = rgb.shape[1:]
    k_red, k_blue = colour.luma_weights
    luma_scale, luma_offset = _luma_scale(layout.depth, colour.full_range)
    chroma_scale, chroma_offset = _chroma_scale(layout.depth, colour.full_range)
    rows = -(-height // 2) if layout.halve_rows else height
    columns = -(-width // 2) if layout.halve_columns else width
    planes: list[Plane] = [np.empty((height, width), layout.dtype)]
    if layout.kind == "yuv":
        planes += [np.empty((rows, columns), layout.dtype) for _ in range(2)]
    for first, last in _bands(height):
        red, green, blue = np.clip(rgb[:, first:last], 0, 1)
        luma = red * np.float32(k_red)
        green *= np.float32(1 - k_red - k_blue)
        luma += green
        luma += np.multiply(blue, np.float32(k_blue), out=green)
        for plane, primary, weight in zip(planes[1:], (blue, red), (k_blue, k_red), strict=False):
            primary -= luma
            gain = chroma_scale / (2 * (1 - weight))
            start = first // 2 if layout.halve_rows else first
            narrow = _rounded(_narrow(primary, layout), gain, chroma_offset, layout)
            plane[start : start + len(narrow)] = narrow
        planes[0][first:last] = _rounded(luma, luma_scale, luma_offset, layout)
    return planes


def _narrow(band: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
    """A chroma band at the stored size. `BAND_ROWS` is even, so no pair of rows is split."""
    if layout.halve_columns:
        if band.shape[1] % 2:
            band = np.concatenate([band, band[:, -1:]], axis=1)
        narrow = band[:, 0::2] * np.float32(0.5)
        odd = band[:, 1::2] * np.float32(0.25)
        narrow += odd
        narrow[:, 1:] += odd[:, :-1]
        narrow[:, 0] += band[:, 0] * np.float32(0.25)
        band = narrow
    if layout.halve_rows:
        if len(band) % 2:
            band = np.concatenate([band, band[-1:]])
        band = (band[0::2] + band[1::2]) * np.float32(0.5)
    return band


def _rounded(values: NDArray[np.float32], gain: float, zero: float, layout: Layout) -> Plane:
    """values · gain + zero, rounded half to even, as levels; `values` is overwritten."""
    values *= np.float32(gain)
    values += np.float32(zero)
    np.rint(values, out=values)
    np.clip(values, 0, 2**layout.depth - 1, out=values)
    return values.astype(layout.dtype)


def gains(layout: Layout, colour: Colour) -> NDArray[np.float32]:
    """The numbers that `to_rgb` and `from_rgb` compute with, for code on a device: (14,).

    To RGB: level of black, 1/levels from black to white, level of zero chroma, R - Y and B - Y per
    level, and what G - Y loses per unit of R - Y and of B - Y. From RGB: the weights of red, green
    and blue in luma, levels from black to white, levels per unit of R - Y and of B - Y, the peak.
    """
    k_red, k_blue = colour.luma_weights
    k_green = 1 - k_red - k_blue
    peak = 2**layout.depth - 1
    luma, black = (
        (peak, 0) if layout.kind == "rgb" else _luma_scale(layout.depth, colour.full_range)
    )
    chroma, zero = _chroma_scale(layout.depth, colour.full_range)
    red, blue = 2 * (1 - k_red), 2 * (1 - k_blue)
    to_rgb = [black, 1 / luma, zero, red / chroma, blue / chroma, k_red / k_green, k_blue / k_green]
    from_rgb = [k_red, k_green, k_blue, luma, chroma / red, chroma / blue, peak]
    return np.array([*to_rgb, *from_rgb], np.float32)


def _luma_scale(depth: int, full_range: bool) -> tuple[float, float]:
    """(levels between black and white, level of black)."""
    step = 2 ** (depth - 8)
    return (2**depth - 1, 0) if full_range else (219 * step, 16 * step)


def _chroma_scale(depth: int, full_range: bool) -> tuple[float, float]:
    """(levels between -1/2 and 1/2, level of zero)."""
    step = 2 ** (depth - 8)
    return (2**depth - 1 if full_range else 224 * step), 128 * step


def _bands(height: int) -> Iterator[tuple[int, int]]:
    for first in range(0, height, BAND_ROWS):
        yield first, min(first + BAND_ROWS, height)
