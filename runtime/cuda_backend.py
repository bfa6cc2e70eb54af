"""The CUDA backend: between load and store, everything stays in device memory."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any, Protocol

from tsr.core.clip_io import Colour
from tsr.core.clip_io.pixels import Frame, Layout, Plane
from tsr.core.exposure import FULL
from tsr.core.ladder import NetworkPass
from tsr.core.tiling import NETWORK_HALO, Span, even_share, spans
from tsr.core.volume import Volume, pad_to_multiple
from tsr.runtime.cuda_frames import StoredFrame, begin_store_planes, load_planes
from tsr.runtime.cuda_interpolation import Interpolate, cubic, moved
from tsr.runtime.cuda_kernels import CudaKernels, DeviceVolume
from tsr.runtime.device_interface import Device

Tile = tuple[int, int, int]
"""(frames, rows, columns) of network output per call."""

TILE = (16, 184, 320)
"""The usual one; benchmarks/gpu.py compares."""

SMALLEST_SIDE = 32
"""Rows or columns below which running out of memory is final."""

SEGMENT_VOXELS = 150_000_000
"""See `Backend.segment_voxels`; they take 0.6 GB. Frames that two segments both make are then 5 %
of the work at 720p from 1/4, and 15 % with as many voxels as on a CPU."""


def whole_tile(tile: Tile) -> Tile:
    """The next larger tile of whole pairs of frames and whole vectors of four columns."""
    frames, rows, columns = tile
    return frames + frames % 2, rows, -(-columns // 4) * 4


def with_halo(tile: Tile) -> Tile:
    """The window that the network needs to make a tile."""
    frames, rows, columns = tile
    halo = NETWORK_HALO
    return frames + 2 * halo.t, rows + 2 * halo.h, columns + 2 * halo.w


class DeviceNetwork(Protocol):
    """The network on volumes in device memory."""

    name: str
    """What computes, for reports."""

    any_shape: bool
    """Whether a new shape costs nothing. Else all calls had better have one, since the first of
    each shape waits for a search for algorithms."""

    def __call__(self, window: DeviceVolume, made: DeviceVolume) -> None:
        """(3, T + 6, H + 16, W + 16) → (3, T, H, W), in order with the device's other work.

        Raises:
            MemoryError: the device has too little memory for this shape.
        """
        ...


class CudaBackend:
    """See `tsr.runtime.backend.Backend`; volumes are `DeviceVolume`.

    Args:
        device: the GPU.
        network: the model on it.
        tile: (frames, rows, columns) of network output per call, made whole by `whole_tile`.
            Every call has this one shape; a network to which any is as good gets at most this, and
            no more than there is to make. The result does not depend on it.
    """

    def __init__(self, device: Device, network: DeviceNetwork, tile: Tile = TILE) -> None:
        self.device, self.network = device, network
        self.name = f"{network.name} on {device.name}"
        self.tile = whole_tile(tile)
        self.kernels = CudaKernels(device)
        self.seconds: dict[str, float] = defaultdict(float)
        self.worked: Callable[[int], None] = lambda voxels: None
        self.notes: list[str] = []
        self.lag = 1
        self.segment_voxels = SEGMENT_VOXELS
        self._wished = self.tile
        self._marks: list[tuple[str, Any, Any]] = []

    def load(self, volume: Volume) -> DeviceVolume:
        """Copy a host volume to the device."""
        channels, frames, height, width = volume.shape
        memory = self.device.upload(volume)
        stride = frames * height * width
        return DeviceVolume(memory, memory.address, (channels, frames, height, width), stride)

    def load_frame(self, frame: Frame | StoredFrame, multiple: int) -> DeviceVolume:
        """(3, H, W), or a frame as it was decoded → (3, 1, H', W'), copied beside the work that was
        started before."""
        if isinstance(frame, StoredFrame):
            with self._timed("convert"):
                return load_planes(self.kernels, frame, multiple)
        volume = pad_to_multiple(frame[:, None], multiple)
        made = self.kernels.volume(*volume.shape)
        with self.device.staged([volume]) as source:
            self.device.copy(made.address, source, volume.nbytes)
        return made

    def store(self, array: DeviceVolume) -> Volume:
        """Copy a device volume to the host."""
        return self.begin_store(array)()

    def begin_store(self, array: DeviceVolume) -> Callable[[], Volume]:
        """Begin to copy a device volume to the host, beside the work that comes next."""
        volume = self.device.host_array(array.shape)
        waits = [
            self.device.begin_download(array.address + 4 * channel * array.stride, plane)
            for channel, plane in enumerate(volume)
        ]
        count = self._counting()

        def finish(keep: DeviceVolume = array) -> Volume:
            for wait in waits:
                wait()
            count()
            return volume

        return finish

    def begin_store_planes(
        self, array: DeviceVolume, height: int, width: int, layout: Layout, colour: Colour
    ) -> Callable[[], list[list[Plane]]]:
        """The same, of the first rows and columns as a file holds them: each frame's planes."""
        with self._timed("convert"):
            planes = begin_store_planes(self.kernels, array, height, width, layout, colour)
        count = self._counting()

        def finish() -> list[list[Plane]]:
            made = planes()
            count()
            return made

        return finish

    def halve(self, array: DeviceVolume) -> DeviceVolume:
        """(C, T, 2h, 2w) → (C, T, h, w)."""
        with self._timed("back-projection"):
            return self.kernels.halve(array)

    def take(self, array: DeviceVolume, frames: Span) -> DeviceVolume:
        """Frames [first, last), where they lie."""
        return array.frames(frames)

    def join(self, arrays: list[DeviceVolume]) -> DeviceVolume:
        """Volumes one after the other in time; a single one where it lies."""
        if len(arrays) == 1:
            return arrays[0]
        channels, _, height, width = arrays[0].shape
        made = self.kernels.volume(channels, sum(a.shape[1] for a in arrays), height, width)
        first = 0
        for array in arrays:
            part = made.frames((first, first + array.shape[1]))
            for channel in range(channels):
                self.device.copy(
                    part.address + 4 * channel * part.stride,
                    array.address + 4 * channel * array.stride,
                    4 * array.shape[1] * array.frame_size,
                )
            first += array.shape[1]
        return made

    def climb(self, low: DeviceVolume, known: DeviceVolume, exposure: float = FULL) -> DeviceVolume:
        """Space-time back-projection."""
        with self._timed("back-projection"):
            return self.kernels.climb(low, known, exposure)

    def correct(
        self, guess: DeviceVolume, known: DeviceVolume, exposure: float = FULL
    ) -> DeviceVolume:
        """Temporal back-projection, in place."""
        with self._timed("back-projection"):
            self.kernels.shift(guess, known, exposure)
        return guess

    def network_pass(
        self, step: NetworkPass, given: DeviceVolume, span: Span, made: Span, num_given: int
    ) -> DeviceVolume:
        """Interpolation, network and temporal back-projection, tile by tile.

        A tile too large for the device is halved, and the pass begins again.
        """
        how = self.kernels, step, given, span, num_given
        if step.interpolation == "motion":
            with self._timed("motion"):
                interpolate = moved(*how, made)
        else:
            interpolate = cubic(*how)
        while True:
            try:
                return self._network_pass(given, span, made, step.exposure, interpolate)
            except MemoryError as error:
                frames, rows, columns = self.tile
                if max(rows, columns) <= SMALLEST_SIDE:
                    raise MemoryError(
                        f"{self.device.name} has no room even for tiles of "
                        f"{frames} frames of {columns}×{rows}"
                    ) from error
                if rows >= columns:
                    self.tile = (frames, -(-rows // 2), columns)
                else:
                    self.tile = (frames, rows, -(-columns // 8) * 4)
                self._say_halved()

    def _say_halved(self) -> None:
        wished, halved = (" ".join(map(str, tile)) for tile in (self._wished, self.tile))
        self.notes[:] = [
            f"{self.device.name} has too little free memory for --tile {wished}; "
            f"went on with --tile {halved}, to the same frames"
        ]

    def _network_pass(
        self,
        given: DeviceVolume,
        span: Span,
        made: Span,
        exposure: float,
        interpolate: Interpolate,
    ) -> DeviceVolume:
        channels, _, height, width = given.shape
        result = self.kernels.volume(channels, made[1] - made[0], height, width)
        tile = self._tile_for((made[1] - made[0], height, width))
        window = self.kernels.volume(channels, *with_halo(tile))
        answer = self.kernels.volume(channels, *tile)
        for chunk in spans(made[1] - made[0], tile[0], made[0]):
            part = result.frames((chunk[0] - made[0], chunk[1] - made[0]))
            known = given.frames((chunk[0] // 2 - span[0], chunk[1] // 2 - span[0]))
            source, table = interpolate(chunk, with_halo(tile)[0])
            for rows, columns in product(spans(height, tile[1]), spans(width, tile[2])):
                (top, _), (left, _) = rows, columns
                shape = self._asked_for(chunk, rows, columns)
                seen, answered = window.shaped(*with_halo(shape)), answer.shaped(*shape)
                with self._timed("back-projection"):
                    self.kernels.gather(source, table, top, left, seen)
                with self._timed("network"):
                    self.network(seen, answered)
                with self._timed("back-projection"):
                    self.kernels.place(answered, known, part, top, left, exposure)
            self.worked((chunk[1] - chunk[0]) * height * width)
        return result

    def _tile_for(self, size: Tile) -> Tile:
        """The largest that a pass over (frames, rows, columns) is cut into."""
        if not self.network.any_shape:
            return self.tile
        # Even ones, since a last one that is narrow would be margin above all.
        frames, rows, columns = map(even_share, size, self.tile)
        return whole_tile((frames, rows, columns))

    def _asked_for(self, *place: Span) -> Tile:
        """What the network makes for a place in time, down and across."""
        if not self.network.any_shape:
            return self.tile
        frames, rows, columns = (last - first for first, last in place)
        return whole_tile((frames, rows, columns))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        first = self.device.mark()
        yield
        self._marks.append((stage, first, self.device.mark()))

    def _counting(self) -> Callable[[], None]:
        """What adds up the device time of the work started so far, once that is done."""
        marks, self._marks = self._marks, []

        def count() -> None:
            for stage, first, last in marks:
                self.seconds[stage] += self.device.seconds_between(first, last)

        return count
