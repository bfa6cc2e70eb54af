"""The CPU backend: ONNX Runtime or OpenVINO for the network, compiled loops for back-projection."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from tsr.core import motion
from tsr.core.clip_io.pixels import Frame
from tsr.core.exposure import FULL
from tsr.core.ladder import NetworkPass
from tsr.core.tiling import NETWORK_HALO, Span, gather, spans
from tsr.core.volume import Volume, pad_to_multiple
from tsr.runtime import cpu_kernels
from tsr.runtime.plan import network_taps, read_frames

TILE = (32, 96, 160)
"""(frames, rows, columns) of network output per call. One shape serves every size of video; the
halo costs 21 % of it there. Longer tiles take more memory, wider ones leave the caches of
ONNX Runtime's INT8 pass (benchmarks/cpu_network.py)."""

SEGMENT_VOXELS = 60_000_000
"""See `Backend.segment_voxels`; they take 0.25 GB."""

MIN_SIDE = 16
"""Rows and columns of the smallest tile that is computed; what lies beyond the border is dropped.
ONNX Runtime sums tiny matrix products in another order, and where a tile ends must not show."""


class CpuBackend:
    """See `tsr.runtime.backend.Backend`; volumes are NumPy arrays.

    Args:
        network: the model, a window (3, T + 6, H + 16, W + 16) → (3, T, H, W).
        tile: (frames, rows, columns) of network output per call; never changes the result.
        engine: what the network is computed by, for the name.
    """

    def __init__(
        self,
        network: Callable[[Volume], Volume],
        tile: tuple[int, int, int] = TILE,
        engine: str = "onnxruntime",
    ) -> None:
        self.name = f"{engine}-cpu"
        self.network, self.tile = network, tile
        self.seconds: dict[str, float] = defaultdict(float)
        self.worked: Callable[[int], None] = lambda voxels: None
        self.notes: list[str] = []
        self.lag = 0
        self.segment_voxels = SEGMENT_VOXELS
        self._climbed: dict[tuple[int, ...], Volume] = {}

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - started

    def load(self, volume: Volume) -> Volume:
        """The volume itself."""
        return np.ascontiguousarray(volume)

    def load_frame(self, frame: Frame, multiple: int) -> Volume:
        """(3, H, W) → (3, 1, H', W')."""
        return self.load(pad_to_multiple(frame[:, None], multiple))

    def store(self, array: Volume) -> Volume:
        """The volume itself."""
        return array

    def begin_store(self, array: Volume) -> Callable[[], Volume]:
        """The volume itself."""
        return lambda: array

    def halve(self, array: Volume) -> Volume:
        """(C, T, 2h, 2w) → (C, T, h, w)."""
        with self._timed("back-projection"):
            return cpu_kernels.halve_hw(array)

    def take(self, array: Volume, frames: Span) -> Volume:
        """Frames [first, last)."""
        return np.ascontiguousarray(array[:, frames[0] : frames[1]])

    def join(self, arrays: list[Volume]) -> Volume:
        """Volumes one after the other in time."""
        return np.concatenate(arrays, axis=1)

    def climb(self, low: Volume, known: Volume, exposure: float = FULL) -> Volume:
        """Space-time back-projection. The next climb to the same shape overwrites the result:
        fresh memory would cost ten times the arithmetic (benchmarks/backprojection.py)."""
        shape = (*low.shape[:2], *known.shape[2:])
        if shape not in self._climbed:
            for other in [kept for kept in self._climbed if kept[2:] == shape[2:]]:
                del self._climbed[other]  # a segment of another length
            self._climbed[shape] = np.empty(shape, np.float32)
        with self._timed("back-projection"):
            return cpu_kernels.backproject(low, known, out=self._climbed[shape], exposure=exposure)

    def correct(self, guess: Volume, known: Volume, exposure: float = FULL) -> Volume:
        """Temporal back-projection, in place."""
        with self._timed("back-projection"):
            return cpu_kernels.backproject_t(guess, known, exposure=exposure)

    def network_pass(
        self, step: NetworkPass, given: Volume, span: Span, made: Span, num_given: int
    ) -> Volume:
        """Interpolation, network and temporal back-projection, tile by tile."""
        channels, _, height, width = given.shape
        result = np.empty((channels, made[1] - made[0], height, width), np.float32)
        follow = motion.remembering(self.follow(step))
        for chunk in spans(made[1] - made[0], self.tile[0], made[0]):
            part = result[:, chunk[0] - made[0] : chunk[1] - made[0]]
            if step.interpolation == "motion":
                with self._timed("motion"):
                    base = motion.moved(
                        given,
                        read_frames(chunk, num_given),
                        span[0],
                        num_given,
                        step.exposure,
                        halved=step.halves_motion,
                        follow=follow,
                    )
            else:
                with self._timed("back-projection"):
                    taps = network_taps(chunk, num_given, step.exposure).within(*span)
                    base = cpu_kernels.upsample_t(given, taps)
            with self._timed("network"):
                self._tiles(base, part)
            self.worked(part[0].size)
        under = given[:, made[0] // 2 - span[0] : made[1] // 2 - span[0]]
        return self.correct(result, np.ascontiguousarray(under), step.exposure)

    def follow(self, step: NetworkPass) -> motion.Follow:
        """How the motion between a pass's frames is found."""
        del step
        return motion.forth_and_back

    def _tiles(self, base: Volume, result: Volume) -> None:
        height, width = base.shape[2:]
        for top, bottom in spans(height, self.tile[1]):
            rows = (top, max(bottom, top + MIN_SIDE))
            for left, right in spans(width, self.tile[2]):
                columns = (left, max(right, left + MIN_SIDE))
                made = self.network(gather(base, rows, columns, NETWORK_HALO))
                result[:, :, top:bottom, left:right] = made[:, :, : bottom - top, : right - left]
