"""The operations of the ladder as kernel launches on volumes in device memory.

The same launches drive the GPU (`tsr.runtime.device`) and, in tests, the kernels compiled as host
C++: all that is asked of a device is to hold memory, copy, and launch by name.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL
from tsr.core.rect import opened
from tsr.core.resize import ResampleTaps
from tsr.core.tiling import NETWORK_HALO, Span
from tsr.runtime.device_interface import Device, Memory
from tsr.runtime.kernels import THREADS
from tsr.runtime.tap_plan import axis_plan, halving_weights

CLIMB_TILE = (32, 64)
"""(rows, columns) of a block's low-resolution tile, as in climb.cu."""

HALVE_STRIP = 16
"""Rows of a halved frame that one thread makes, two columns wide, as in halve.cu."""

GATHER_STRIP = 11
"""Frames of a window that one thread makes, as in network_io.cu."""

TIME_TAPS = 4
"""Taps of cubic interpolation in time ×2."""

KEPT_TABLES = 256
"""Tables kept on the device; a video needs some twenty."""


@dataclass(frozen=True, eq=False)
class DeviceVolume:
    """A (C, T, H, W) float32 volume in device memory, or a range of frames of one.

    Args:
        memory: keeps the memory alive.
        address: of the first voxel.
        shape: (C, T, H, W).
        stride: voxels from one channel to the next; each channel is contiguous.
    """

    memory: Memory
    address: int
    shape: tuple[int, int, int, int]
    stride: int

    @property
    def frame_size(self) -> int:
        """Voxels of one channel of one frame."""
        return self.shape[2] * self.shape[3]

    def frames(self, span: Span) -> "DeviceVolume":
        """Frames [first, last), where they lie."""
        first, last = span
        channels, frames, height, width = self.shape
        if not 0 <= first <= last <= frames:
            raise SettingsError(f"frames {first} to {last} are not in a volume of {frames}")
        return replace(
            self,
            address=self.address + 4 * first * self.frame_size,
            shape=(channels, last - first, height, width),
        )

    def shaped(self, frames: int, height: int, width: int) -> "DeviceVolume":
        """A volume of another shape in the same memory, content unspecified."""
        channels, stride = self.shape[0], frames * height * width
        if stride > self.shape[1] * self.frame_size:
            raise SettingsError(
                f"{frames} frames of {width}×{height} do not fit a volume of shape {self.shape}"
            )
        return replace(self, shape=(channels, frames, height, width), stride=stride)


@dataclass(frozen=True, eq=False)
class TimeTable:
    """Taps of interpolation in time on the device: (frames, 4) indices and weights."""

    index: Memory
    weight: Memory
    frames: int


class CudaKernels:
    """Launches kernels on one device; tables are computed by `core` and uploaded once."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._tables: dict[Hashable, Memory] = {}

    def volume(self, channels: int, frames: int, height: int, width: int) -> DeviceVolume:
        """A volume with unspecified content."""
        size = channels * frames * height * width
        memory = self.device.allocate(4 * size)
        shape = (channels, frames, height, width)
        return DeviceVolume(memory, memory.address, shape, size // channels)

    def halve(self, volume: DeviceVolume) -> DeviceVolume:
        """(C, T, 2h, 2w) → (C, T, h, w), as `core.resize.resize_hw`."""
        channels, frames, height, width = volume.shape
        if height % 2 or width % 2:
            raise SettingsError(
                f"a video of {width}×{height} cannot be halved; pad it to even sides"
            )
        height, width = height // 2, width // 2
        made = self.volume(channels, frames, height, width)
        self.device.launch(
            "halve",
            (blocks(-(-height // HALVE_STRIP) * -(-width // 2)), frames, channels),
            *(volume.address, volume.stride, made.address, made.stride),
            *(height, width),
            self.table(("halve", height), halving_weights(height)),
            self.table(("halve", width), halving_weights(width)),
        )
        return made

    def climb(self, low: DeviceVolume, known: DeviceVolume, exposure: float = FULL) -> DeviceVolume:
        """Back-project (C, T·k, h, w) against (C, T, 2h, 2w), as `core.backproject.backproject`."""
        channels, frames, height, width = low.shape
        groups = known.shape[1]
        if known.shape != (channels, groups, 2 * height, 2 * width) or frames % groups:
            raise SettingsError(
                f"a low-resolution video of shape {low.shape} does not refine a video of shape "
                f"{known.shape}: sides must double and frames be a multiple"
            )
        made = self.volume(channels, frames, 2 * height, 2 * width)
        rows, columns = axis_plan(height), axis_plan(width)
        self.device.launch(
            "climb_odd" if width % 4 else "climb",
            _tiles(height, width, CLIMB_TILE, channels * groups),
            *(low.address, low.stride, known.address, known.stride, made.address, made.stride),
            self._opened(frames // groups, exposure),
            *(groups, frames // groups, height, width),
            self.table(("up", height), rows.up_weight),
            self.table(("up", width), columns.up_weight),
            self.table(("again", height), rows.again_weight),
            self.table(("again", width), columns.again_weight),
        )
        return made

    def time_table(self, taps: ResampleTaps, frames: int) -> TimeTable:
        """Bring taps to the device; rows up to `frames` repeat the last one."""
        rows = np.minimum(np.arange(frames), len(taps.index) - 1)
        spare = TIME_TAPS - taps.index.shape[1]
        if spare < 0:
            raise SettingsError(f"{taps.index.shape[1]} taps in time; at most {TIME_TAPS} expected")
        index = np.pad(taps.index[rows], [(0, 0), (0, spare)], mode="edge")
        weight = np.pad(taps.weight[rows], [(0, 0), (0, spare)])
        key = (index.tobytes(), weight.tobytes())
        return TimeTable(
            self._memory(("index", *key), index), self._memory(("weight", *key), weight), frames
        )

    def gather(
        self, given: DeviceVolume, table: TimeTable, top: int, left: int, window: DeviceVolume
    ) -> None:
        """Fill `window` (C, T, rows, columns): interpolated in time, cut with its halo.

        Args:
            given: the video that the table's indices count in. table: of T frames or more.
            top, left: first row and column of the tile inside the halo.
        """
        channels, frames, rows, columns = window.shape
        if frames > table.frames or channels != given.shape[0]:
            raise SettingsError(f"a window of shape {window.shape} does not fit {table.frames}")
        self.device.launch(
            "gather",
            (blocks(rows * -(-columns // 4)), -(-frames // GATHER_STRIP), channels),
            *(given.address, given.stride, given.shape[2], given.shape[3]),
            *(table.index.address, table.weight.address, frames),
            *(top - NETWORK_HALO.h, left - NETWORK_HALO.w),
            *(window.address, rows, columns),
        )

    def place(
        self,
        tile: DeviceVolume,
        known: DeviceVolume,
        made: DeviceVolume,
        top: int,
        left: int,
        exposure: float = FULL,
    ) -> None:
        """Set a tile of `made` (C, 2n, H, W) from (top, left) on, back-projected in time.

        Args:
            tile: (C, ≥ 2n, rows, columns); what lies beyond `made` is dropped. Columns are a
                multiple of four.
            known: (C, n, H, W): what each pair of frames must average to over the exposure.
            exposure: of `known`, as a fraction of its frame interval.
        """
        channels, frames, height, width = made.shape
        _, tile_frames, tile_rows, tile_columns = tile.shape
        if 2 * known.shape[1] != frames or tile_frames < frames or tile_columns % 4 or left % 4:
            raise SettingsError(
                f"a tile of shape {tile.shape} does not fit a volume of shape {made.shape} over "
                f"one of shape {known.shape}"
            )
        rows, columns = min(tile_rows, height - top), min(tile_columns, width - left)
        self.device.launch(
            "place",
            (blocks(rows * -(-columns // 4)), frames // 2, channels),
            *(tile.address, tile_frames, tile_rows, tile_columns),
            *(known.address, known.stride, made.address, made.stride),
            self._opened(2, exposure),
            *(height, width, top, left, rows, columns),
        )

    def shift(self, guess: DeviceVolume, known: DeviceVolume, exposure: float = FULL) -> None:
        """Back-project `guess` (C, T·k, H, W) in time against `known` (C, T, H, W), in place and
        clipped, as `core.backproject.backproject_t`."""
        channels, frames, height, width = guess.shape
        groups = known.shape[1]
        if known.shape != (channels, groups, height, width) or frames % groups:
            raise SettingsError(
                f"a guess of shape {guess.shape} does not refine a video of shape {known.shape}"
            )
        self.device.launch(
            "shift",
            (blocks(height * width), groups, channels),
            *(guess.address, guess.stride, known.address, known.stride),
            self._opened(frames // groups, exposure),
            *(frames // groups, height * width),
        )

    def _opened(self, frames: int, exposure: float) -> int:
        return self.table(("opened", frames, exposure), opened(frames, exposure))

    def table(self, key: Hashable, table: NDArray[Any]) -> int:
        """Where a table lies on the device; uploaded once as long as its key is in use."""
        return self._memory(key, table).address

    def _memory(self, key: Hashable, table: NDArray[Any]) -> Memory:
        memory = self._tables.pop(key, None) or self.device.upload(np.ascontiguousarray(table))
        self._tables[key] = memory  # the latest used comes last
        if len(self._tables) > KEPT_TABLES:
            self._tables.pop(next(iter(self._tables)))
        return memory


def _tiles(height: int, width: int, tile: tuple[int, int], volumes: int) -> tuple[int, int, int]:
    return math.ceil(width / tile[1]), math.ceil(height / tile[0]), volumes


def blocks(items: int) -> int:
    """Blocks of threads for so many items, one each."""
    return -(-items // THREADS)
