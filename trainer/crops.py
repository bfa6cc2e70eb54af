"""Batches of crops, likelier where the picture changes, cut by one gather on the device."""

from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsr.core.volume import Volume
from tsr.trainer.examples import Source

# The numbers of the release (method-notes.md, 'Training').
FLIP_SPACE, FLIP_TIME, ROTATE = 1 / 3, 1 / 3, 1 / 2

CELL = 2
"""Crop starts are weighted per cell of 2×2×2 voxels and jittered inside: saves seven eighths."""


class CropSampler:
    """Draws batches of HTR crops, likelier where the picture changes (paper 4.1).

    Args:
        sources: from `internal_sources`, or with what the network is given (`tsr.trainer.moved`):
            all copies have as many channels, the frames first.
        crop: (frames, rows, columns); rows and columns are equal when rotations are to be drawn.
        device: where the copies live and crops are cut.
        even_starts: whether crops begin at even frames of their copy alone.
        reverse_time: whether crops are also read backwards.
    """

    def __init__(
        self,
        sources: list[Source],
        crop: tuple[int, int, int],
        device: torch.device | str = "cpu",
        *,
        even_starts: bool = False,
        reverse_time: bool = True,
    ) -> None:
        self.crop, self.device = crop, torch.device(device)
        self._flips = FLIP_TIME * reverse_time, FLIP_SPACE, FLIP_SPACE
        flat, offsets = _concatenate([source.copy for source in sources])
        cells, counts = _cells(sources, crop)
        shapes = np.array([source.copy.shape for source in sources])
        strides = np.stack(
            [shapes[:, 2] * shapes[:, 3], shapes[:, 3], np.ones_like(shapes[:, 3])], 1
        )
        extents = np.array([source.extent(crop) for source in sources])
        roles = np.array([source.roles for source in sources])  # (n, 3 roles, 3 axes)
        share = np.cumsum([source.share for source in sources])

        def on_device(array: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

        self._channels = len(sources[0].copy)
        self._values = on_device(flat)
        self._jitter = on_device(np.array([1 if even_starts else CELL, CELL, CELL]))
        self._share = on_device(share / share[-1])
        self._cells = on_device(cells)
        self._first = on_device(np.cumsum([0, *counts.prod(axis=1)[:-1]]))
        self._counts, self._strides = on_device(counts), on_device(strides)
        self._last_start = on_device(shapes[:, 1:] - extents)
        self._offsets = on_device(np.array(offsets))
        self._plane = on_device(shapes[:, 1:].prod(axis=1))
        self._last = on_device(shapes[:, 1:] - 1)
        self._roles = on_device(roles)

    def values(self, source: int) -> Tensor:
        """The copy of a source, (C, T, H, W) on the device; what is written there is drawn."""
        first, plane = int(self._offsets[source]), int(self._plane[source])
        frames, height, width = (int(last) + 1 for last in self._last[source])
        return self._values[first : first + self._channels * plane].view(
            self._channels, frames, height, width
        )

    def draw(self, count: int, generator: torch.Generator, around: int = 0) -> Tensor:
        """Cut `count` crops: (count, C, T, H, W) float32 in [0, 1] on the sampler's device.

        Args:
            around: pixels that are cut out with a crop on each side, the border of the copy
                repeated as at run time: H and W are larger by twice as much.
        """
        u = torch.rand((9, count), generator=generator, device=self.device, dtype=torch.float64)
        source = torch.searchsorted(self._share, u[0]).clamp_(max=len(self._share) - 1)
        cell = torch.searchsorted(self._cells, source + u[1])
        counts = self._counts[source]
        local = cell - self._first[source]
        local = torch.minimum(local.clamp_(min=0), counts.prod(1) - 1)
        per_row, per_plane = counts[:, 2], counts[:, 1] * counts[:, 2]
        where = torch.stack([local // per_plane, local % per_plane // per_row, local % per_row], 1)
        start = where * CELL + (u[2:5].T * self._jitter).long()
        start = torch.minimum(start, self._last_start[source])
        start, roles = self._augment(start, self._roles[source], u[5:9])
        return self._gather(source, start, roles, around)

    def _augment(self, start: Tensor, roles: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Mirror in space and time and rotate by 90°, by changing where and how a crop is read."""
        if self.crop[1] == self.crop[2]:
            turned = torch.stack([roles[:, 0], roles[:, 2], roles[:, 1]], 1)
            roles = torch.where((u[3] < ROTATE)[:, None, None], turned, roles)
        for role, chance in enumerate(self._flips):
            flipped = (u[role] < chance)[:, None]
            start = torch.where(flipped, start + (self.crop[role] - 1) * roles[:, role], start)
            sign = torch.ones_like(roles)
            sign[:, role] = torch.where(flipped, -1, 1)
            roles = roles * sign
        return start, roles

    def _gather(self, source: Tensor, start: Tensor, roles: Tensor, around: int) -> Tensor:
        frames, height, width = self.crop
        t, y, x = (
            torch.arange(-more, n + more, device=self.device)
            for n, more in ((frames, 0), (height, around), (width, around))
        )
        index = self._offsets[source][:, None, None, None]
        for axis in range(3):
            t_role, y_role, x_role = roles[:, :, axis].T[:, :, None, None, None]
            place = start[:, axis, None, None, None] + t_role * t[:, None, None]
            place = place + y_role * y[:, None] + x_role * x
            if around:
                last = self._last[source, axis][:, None, None, None]
                place = torch.minimum(place.clamp_(min=0), last)
            index = index + place * self._strides[source, axis][:, None, None, None]
        channel = torch.arange(self._channels, device=self.device)[:, None, None, None]
        plane = self._plane[source][:, None, None, None, None]
        return self._values[index[:, None] + plane * channel]  # (B, C, T, H, W)


def _concatenate(copies: list[Volume]) -> tuple[NDArray[np.float32], list[int]]:
    """Lay the distinct copies out in one array; sources that share a copy share its place."""
    places: dict[int, int] = {}
    parts: list[NDArray[np.float32]] = []
    total = 0
    for copy in copies:
        if id(copy) not in places:
            places[id(copy)] = total
            parts.append(np.ascontiguousarray(copy).reshape(-1))
            total += copy.size
    return np.concatenate(parts), [places[id(copy)] for copy in copies]


def _cells(
    sources: list[Source], crop: tuple[int, int, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The cells in which crops start, of all sources, one after the other.

    Returns:
        Cell by cell the probability summed so far: source i owns the interval (i, i + 1], so that
        one search finds the cell of every crop. And the cells of each source along t, y, x.
    """
    starts = np.array([np.subtract(s.copy.shape[1:], s.extent(crop)) + 1 for s in sources])
    counts = -(-starts // CELL)
    ends = np.cumsum(counts.prod(axis=1))
    sums = np.empty(ends[-1])
    by_copy = sorted(range(len(sources)), key=lambda number: id(sources[number].copy))
    for _, same in groupby(by_copy, key=lambda number: id(sources[number].copy)):
        numbers = list(same)
        table = _summed_change(sources[numbers[0]].copy)
        for number in numbers:
            weights = _of_crops(table, sources[number].extent(crop))
            mine = sums[ends[number] - weights.size : ends[number]]
            np.cumsum(weights, out=mine)
            mine /= weights.sum()
            mine += number
    return sums, counts


def _summed_change(copy: Volume) -> NDArray[np.float64]:
    """The gradient magnitude of a copy's frames, summed from its corner: (T + 1, H + 1,
    W + 1)."""
    grey = copy[:3].mean(axis=0, dtype=np.float64)
    table = np.zeros([n + 1 for n in grey.shape])
    inside = table[1:, 1:, 1:]
    for axis in range(3):
        if grey.shape[axis] > 1:
            slope = np.gradient(grey, axis=axis)
            inside += np.multiply(slope, slope, out=slope)
    np.sqrt(inside, out=inside)
    for axis in range(3):
        np.cumsum(table, axis=axis, out=table)
    return table


def _of_crops(table: NDArray[np.float64], extent: tuple[int, int, int]) -> NDArray[np.float64]:
    """The sums over the crops that start at the cells' corners, at least a small floor."""
    for axis, reach in enumerate(extent):
        along = np.moveaxis(table, axis, 0)
        table = np.moveaxis(along[reach::CELL] - along[:-reach:CELL], 0, axis)
    weights = np.maximum(table, 0)
    # The floor keeps flat video legal and every cell reachable.
    floored: NDArray[np.float64] = weights + 1e-6 * weights.max() + 1e-12
    return floored
